using Vivarium.Linux;
using Vivarium.Linux.Files;

namespace Vivarium.Templates.Images;

/// <summary>An image in a directory; no link in it is followed.</summary>
internal sealed class LayoutDirectory(string directory) : IImageFiles
{
    public void Dispose()
    {
    }

    public Stream? Open(string path)
    {
        try
        {
            var handle = OpenBeneath.Read(directory, path, allowLinks: false);
            if (FileStatus.Of(handle).Kind != FileKind.Regular)
            {
                handle.Dispose();
                return null;
            }

            return new FileStream(handle, FileAccess.Read, bufferSize: 0);
        }
        catch (LinuxException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP or Errno.EXDEV)
        {
            return null;
        }
    }
}
