using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Supervisor;

/// <summary>Standard output, written by system call: the console class would bring terminal handling and its threads into a small program.</summary>
internal static class StandardOutput
{
    /// <summary>Writes a line; nobody listening is no error.</summary>
    public static void WriteLine(string text)
    {
        try
        {
            using var handle = new SafeFileHandle(1, ownsHandle: false);
            using var stream = new FileStream(handle, FileAccess.Write, bufferSize: 0);
            stream.Write(Encoding.UTF8.GetBytes(text + "\n"));
        }
        catch (IOException)
        {
            // The reader has gone; what matters is in the files.
        }
    }
}
