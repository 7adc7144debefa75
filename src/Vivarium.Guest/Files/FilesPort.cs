using System.Text.Json;
using Vivarium.Guest.Ports;
using Vivarium.Transport;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>Port 1027: one request after another, each a JSON line, with content where the operation has some.</summary>
internal sealed class FilesPort(GuestContext context) : IPortHandler
{
    public int Port => GuestPort.Files;

    public int MaxConnections => 256;

    public async Task ServeAsync(DuplexStream stream, CancellationToken cancellationToken)
    {
        using var reader = new ConnectionReader(stream);
        var connection = new FilesConnection(stream, reader, cancellationToken);
        while (await reader.ReadLineAsync(FileRequest.MaxLineBytes, cancellationToken) is { } line)
        {
            if (!await AnswerAsync(connection, line))
            {
                break;
            }
        }

        await stream.CompleteWritesAsync(cancellationToken);
    }

    /// <summary>False when the connection cannot go on.</summary>
    private async Task<bool> AnswerAsync(FilesConnection connection, ReadOnlyMemory<byte> line)
    {
        FileRequest request;
        try
        {
            request = JsonSerializer.Deserialize(line.Span, GuestJson.Default.FileRequest) ?? throw new JsonException("null");
        }
        catch (JsonException e)
        {
            await connection.ReplyAsync(new FileReply { Error = FileFailure.Invalid($"the request is malformed: {e.Message}", "bad_request").ToInfo() });
            return false; // whether content follows cannot be known
        }

        using var input = request.Op is "write" or "archive_in" ? connection.OpenInput() : null;
        try
        {
            return await RunAsync(connection, request, input);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            await connection.ReplyAsync(new FileReply { Error = FileFailure.ToInfo(e, request.Op, request.Path) });
            return input is null || await input.DrainAsync();
        }
    }

    private async Task<bool> RunAsync(FilesConnection connection, FileRequest request, ContentInput? input)
    {
        var user = context.Users.Resolve(string.IsNullOrEmpty(request.User) ? context.Settings.DefaultUser : request.User);
        var path = GuestPath.Resolve(request.Path, user.Home);
        switch (request.Op)
        {
            case "read":
                await new FileContent(connection, context.Users, user, request, path).ReadAsync();
                return true;
            case "write":
                await connection.ReplyAsync(await new FileContent(connection, context.Users, user, request, path).WriteAsync(input!));
                return true;
            case "archive_in":
                await connection.ReplyAsync(await ActingUser.RunLongAsync(user, () => new ArchiveIn(path, request, connection.CancellationToken).Run(input!)));
                return true;
            case "archive_out":
                await ArchiveOutAsync(connection, request, user, path);
                return true;
            case "watch":
                await ActingUser.RunLongAsync(user, () => new TreeWatch(connection, path, request.Recursive).Run());
                return false;
            default:
                await connection.ReplyAsync(await ActingUser.RunAsync(user, () => RunSimple(request, path, user.Home, connection.CancellationToken)));
                return true;
        }
    }

    private static async Task ArchiveOutAsync(FilesConnection connection, FileRequest request, Exec.UserIdentity user, string path)
    {
        using var output = connection.OpenOutput();
        using var archive = await ActingUser.RunAsync(user, () => ArchiveOut.Open(path, request.Paths, output));
        await connection.ReplyAsync(new FileReply { Content = true });
        var error = await ActingUser.RunLongAsync(user, () => archive.Run(connection.CancellationToken));
        await output.EndAsync();
        await connection.ReplyAsync(new FileReply { Bytes = output.Total, Error = error });
    }

    private FileReply RunSimple(FileRequest request, string path, string home, CancellationToken cancellationToken)
    {
        var simple = new SimpleOperations(context.Users, request, path, home);
        return request.Op switch
        {
            "stat" => simple.Stat(),
            "list" => new TreeSearch(path, request.Limit, cancellationToken).List(request.Depth ?? 1),
            "find" => new TreeSearch(path, request.Limit, cancellationToken) { Except = request.Except }.Find(request.Pattern, request.WholePath),
            "grep" => new TreeSearch(path, request.Limit, cancellationToken) { Except = request.Except }.Grep(request.Pattern, request.Regex, request.Include),
            "mkdir" => simple.MakeDirectory(),
            "move" => simple.Move(),
            "remove" => simple.Remove(cancellationToken),
            "chmod" => simple.ChangeMode(),
            "chown" => simple.ChangeOwner(),
            "symlink" => simple.Symlink(),
            "getxattr" => simple.GetAttribute(),
            "setxattr" => simple.SetAttribute(),
            "listxattr" => simple.ListAttributes(),
            _ => throw new VivariumException(ErrorCode.Unimplemented, $"the files port has no operation '{(request.Op.Length > 40 ? request.Op[..40] : request.Op)}'", reason: "unknown_operation"),
        };
    }
}
