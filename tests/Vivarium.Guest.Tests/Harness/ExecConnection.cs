using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Vivarium.Transport;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests.Harness;

/// <summary>One connection to the exec port, its frames read by hand.</summary>
internal sealed class ExecConnection : IAsyncDisposable
{
    private readonly DuplexStream _stream;
    private readonly MemoryStream[] _channels = [new(), new(), new(), new()];

    private ExecConnection(DuplexStream stream, ExecReply reply)
    {
        _stream = stream;
        Reply = reply;
    }

    public ExecReply Reply { get; }

    public int Pid => Reply.Pid ?? throw new InvalidOperationException(Reply.Error?.Message);

    public string Stdout => Text(ExecChannel.Stdout);

    public string Stderr => Text(ExecChannel.Stderr);

    public string Terminal => Text(ExecChannel.Pty);

    public ExecControl? Exit { get; private set; }

    public int Pings { get; private set; }

    public static async Task<ExecConnection> OpenAsync(GuestInstance guest, ExecRequest request)
    {
        var stream = await guest.ConnectAsync(GuestPort.Exec);
        await stream.WriteAsync(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(request, GuestJson.Default.ExecRequest) + "\n"));
        var line = new List<byte>();
        var one = new byte[1];
        while (await stream.ReadAsync(one).AsTask().WaitAsync(GuestInstance.Deadline) == 1 && one[0] != (byte)'\n')
        {
            line.Add(one[0]);
        }

        return new ExecConnection(stream, JsonSerializer.Deserialize(line.ToArray(), GuestJson.Default.ExecReply)!);
    }

    /// <summary>Runs a command to its end.</summary>
    public static async Task<ExecConnection> RunAsync(GuestInstance guest, ExecRequest request, TimeSpan? deadline = null)
    {
        var exec = await OpenAsync(guest, request);
        Assert.True(exec.Reply.Error is null, exec.Reply.Error?.Message);
        await exec.FinishAsync(deadline);
        await exec.DisposeAsync();
        return exec;
    }

    public static Task<ExecConnection> ShellAsync(GuestInstance guest, string script) =>
        RunAsync(guest, new ExecRequest { Argv = ["/bin/sh", "-c", script] });

    public async Task SendAsync(byte channel, ReadOnlyMemory<byte> bytes)
    {
        var frame = new byte[5 + bytes.Length];
        frame[0] = channel;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)bytes.Length);
        bytes.CopyTo(frame.AsMemory(5));
        await _stream.WriteAsync(frame);
    }

    public Task SendInputAsync(string text) => SendAsync(ExecChannel.Stdin, Encoding.UTF8.GetBytes(text));

    public Task SendControlAsync(ExecControl control) =>
        SendAsync(ExecChannel.Control, JsonSerializer.SerializeToUtf8Bytes(control, GuestJson.Default.ExecControl));

    public async Task SendRawAsync(byte[] bytes) => await _stream.WriteAsync(bytes);

    /// <summary>Reads frames until the exit has come.</summary>
    public async Task FinishAsync(TimeSpan? deadline = null)
    {
        using var timeout = new CancellationTokenSource(deadline ?? GuestInstance.Deadline);
        while (Exit is null && await ReadFrameAsync(timeout.Token))
        {
        }

        Assert.NotNull(Exit);
    }

    /// <summary>Reads frames until the terminal or standard output shows a text.</summary>
    public async Task UntilAsync(string text)
    {
        using var timeout = new CancellationTokenSource(GuestInstance.Deadline);
        while (!Stdout.Contains(text, StringComparison.Ordinal) && !Terminal.Contains(text, StringComparison.Ordinal))
        {
            Assert.True(await ReadFrameAsync(timeout.Token), $"ended without '{text}': {Stdout}{Stderr}{Terminal}");
        }
    }

    public async Task<bool> ReadFrameAsync(CancellationToken cancellationToken)
    {
        var header = new byte[5];
        if (await _stream.ReadAtLeastAsync(header, 5, throwOnEndOfStream: false, cancellationToken) < 5)
        {
            return false;
        }

        var payload = new byte[BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(1))];
        await _stream.ReadExactlyAsync(payload, cancellationToken);
        if (header[0] != ExecChannel.Control)
        {
            _channels[header[0]].Write(payload);
            return true;
        }

        var control = JsonSerializer.Deserialize(payload, GuestJson.Default.ExecControl)!;
        Exit = control.Type == "exit" ? control : Exit;
        Pings += control.Type == "ping" ? 1 : 0;
        return true;
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private string Text(byte channel) => Encoding.UTF8.GetString(_channels[channel].ToArray());
}
