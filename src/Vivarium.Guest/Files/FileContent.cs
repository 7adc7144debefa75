using Microsoft.Win32.SafeHandles;
using Vivarium.Guest.Exec;
using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>Reading and writing one file. Opened and finished as the user; the bytes in between need nobody's rights.</summary>
internal sealed class FileContent(FilesConnection connection, UserLookup users, UserIdentity user, FileRequest request, string path)
{
    private const int DefaultMode = 0x1A4;

    public async Task ReadAsync()
    {
        if (request.Offset < 0 || request.Length < 0)
        {
            throw FileFailure.Invalid("offset and length must not be negative");
        }

        using var file = await ActingUser.RunAsync(user, Open);
        var fd = (int)file.DangerousGetHandle();
        if (request.Offset is > 0 and var offset)
        {
            Names.Check(At.lseek(fd, offset, 0), "read", path);
        }

        await connection.ReplyAsync(new FileReply { Content = true });
        using var output = connection.OpenOutput();
        var left = request.Length ?? long.MaxValue;
        Exception? failure = null;
        while (left > 0)
        {
            var count = At.Read(fd, output.Room.Span[..(int)Math.Min(output.Room.Length, left)]);
            if (count < 0)
            {
                failure = new LinuxException("read", path, System.Runtime.InteropServices.Marshal.GetLastPInvokeError());
            }

            if (count <= 0)
            {
                break;
            }

            left -= count;
            await output.AdvanceAsync((int)count);
        }

        await output.EndAsync();
        await connection.ReplyAsync(new FileReply { Bytes = output.Total, Error = failure is null ? null : FileFailure.ToInfo(failure, "read", path) });
    }

    public async Task<FileReply> WriteAsync(ContentInput input)
    {
        var mode = request.Mode is { } wanted ? SimpleOperations.Mode(wanted) : (int?)null;
        var owner = request.Owner is { } text ? users.Resolve(text) : null;
        var target = await ActingUser.RunAsync(user, () => WriteTarget.Open(path, request.NoFollow, request.Parents));
        try
        {
            var total = await CopyAsync(input, target.File);
            await ActingUser.RunAsync(user, () => target.Commit(mode, DefaultMode, owner));
            return new FileReply { Entry = await ActingUser.RunAsync(user, () => new EntryReader().Of(path, follow: !request.NoFollow)), Bytes = total };
        }
        finally
        {
            await ActingUser.RunAsync(user, target.Discard);
        }
    }

    private SafeFileHandle Open()
    {
        // Without waiting: a named pipe nobody writes to must not hold a thread. For files it changes nothing.
        var fd = Names.Check(At.Open(At.Cwd, Names.Of(path), At.ReadOnly | At.NonBlocking | (request.NoFollow ? At.NoFollow : 0)), "read", path);
        var file = new SafeFileHandle(fd, ownsHandle: true);
        if (FileStatus.Of(file).Kind == FileKind.Directory)
        {
            file.Dispose();
            throw new LinuxException("read", path, Errno.EISDIR);
        }

        return file;
    }

    private async Task<long> CopyAsync(ContentInput input, SafeFileHandle file)
    {
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(FileRequest.MaxChunkBytes);
        try
        {
            var total = 0L;
            var fd = (int)file.DangerousGetHandle();
            while (await input.ReadAsync(buffer, connection.CancellationToken) is var count and > 0)
            {
                Names.Check(At.WriteAll(fd, buffer.AsSpan(0, count)) ? 0 : -1, "write", path);
                total += count;
            }

            return total;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
