using Microsoft.Win32.SafeHandles;

namespace Vivarium.Supervisor;

/// <summary>
/// A supervisor started before its specification is written, while the volume is still being made: what it will need is loaded meanwhile. The daemon then says
/// <c>go</c>; when it ends first, or gives the sandbox up, its end of the pipe closes and nothing has happened.
/// </summary>
internal static class StartSignal
{
    private const string Variable = "VIV_START";

    /// <summary>Whether the signal is to be waited for.</summary>
    public static bool Awaited => Environment.GetEnvironmentVariable(Variable) == "wait";

    /// <summary>Waits; false when it will not come.</summary>
    public static bool Wait()
    {
        Rehearsal.Run();
        var line = new byte[3];
        var count = 0;
        using var handle = new SafeFileHandle(0, ownsHandle: false);
        using var input = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        while (count < line.Length && input.Read(line, count, line.Length - count) is var read and > 0)
        {
            count += read;
        }

        SupervisorFiles.DetachInput();
        return line.AsSpan(0, count).SequenceEqual("go\n"u8);
    }
}
