using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Loop;

/// <summary>
/// A loop device held open, loop(4). Attached with auto-clear: the kernel detaches it when the last user (this handle, a mount) is gone,
/// so a crash between attaching and mounting leaks nothing.
/// </summary>
public sealed class LoopDevice : IDisposable
{
    private const uint Configure = 0x4c0a, GetFree = 0x4c82, SetCapacity = 0x4c07;
    private const uint AutoClear = 4, DirectIo = 16;
    private const int ConfigBytes = 0x130, InfoOffset = 8, FlagsOffset = InfoOffset + 0x34, NameOffset = InfoOffset + 0x38, NameBytes = 64;
    private const int Attempts = 64;

    private readonly SafeFileHandle handle;

    private LoopDevice(SafeFileHandle handle, string path)
    {
        this.handle = handle;
        DevicePath = path;
    }

    /// <summary>For example <c>/dev/loop3</c>.</summary>
    public string DevicePath { get; }

    /// <summary>Attaches a file, read-write, with direct I/O where the file system of the file allows (no second copy in the page cache).</summary>
    public static LoopDevice Attach(string file, bool directIo = true)
    {
        using var backing = Libc.Open(file, Libc.O_RDWR);
        using var control = Libc.Open("/dev/loop-control", Libc.O_RDWR);
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var number = Libc.Ioctl(control, GetFree, 0);
            if (number < 0)
            {
                throw new LinuxException("find a free loop device for", file, Marshal.GetLastPInvokeError());
            }

            var path = $"/dev/loop{number}";
            var device = Libc.Open(path, Libc.O_RDWR);
            var errno = Bind(device, backing, file, directIo);
            if (errno == Errno.EINVAL && directIo)
            {
                errno = Bind(device, backing, file, directIo: false);
            }

            if (errno == 0)
            {
                return new LoopDevice(device, path);
            }

            device.Dispose();
            if (errno != Errno.EBUSY)
            {
                throw new LinuxException("attach loop device to", file, errno);
            }
        }

        throw new LinuxException("attach loop device to", file, Errno.EBUSY);
    }

    /// <summary>The file behind a loop device, as the kernel names it (with <c> (deleted)</c> when it is gone); null when nothing is attached.</summary>
    public static string? BackingFile(string devicePath)
    {
        try
        {
            return File.ReadAllText($"/sys/block/{Path.GetFileName(devicePath)}/loop/backing_file").TrimEnd('\n');
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Takes over the new size of the file behind an attached device.</summary>
    public static void RefreshSize(string devicePath)
    {
        using var device = Libc.Open(devicePath, Libc.O_RDWR);
        if (Libc.Ioctl(device, SetCapacity, 0) < 0)
        {
            throw new LinuxException("resize loop device", devicePath, Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Closes this handle; the device stays attached while something else (a mount) uses it.</summary>
    public void Dispose() => handle.Dispose();

    private static unsafe int Bind(SafeFileHandle device, SafeFileHandle backing, string file, bool directIo)
    {
        // struct loop_config: fd, block size, struct loop_info64.
        var config = new byte[ConfigBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(config, (uint)backing.DangerousGetHandle());
        BinaryPrimitives.WriteUInt32LittleEndian(config.AsSpan(4), 4096);
        BinaryPrimitives.WriteUInt32LittleEndian(config.AsSpan(FlagsOffset), AutoClear | (directIo ? DirectIo : 0));
        var name = Encoding.UTF8.GetBytes(file);
        name.AsSpan(0, Math.Min(name.Length, NameBytes - 1)).CopyTo(config.AsSpan(NameOffset));

        // SAFETY: the buffer has the size of struct loop_config and is pinned for the call; `backing` is alive in the caller's using.
        fixed (byte* pointer = config)
        {
            return Libc.Ioctl(device, Configure, (nint)pointer) < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
    }
}
