using System.Diagnostics;
using Vivarium.Linux.IO;
using Vivarium.Linux.Processes;
using Vivarium.Linux.Terminals;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.IO;

public sealed class PollableFdTests
{
    [Fact]
    public async Task A_pipe_is_read_without_a_thread_and_ends()
    {
        var (read, write) = Pipe.Create();
        await using var reader = PollableFd.Take(read);
        var writer = PollableFd.Take(write);
        var buffer = new byte[100];
        var pending = reader.ReadAsync(buffer);
        Assert.False(pending.IsCompleted);
        await writer.WriteAsync("hello"u8.ToArray());
        Assert.Equal(5, await pending);
        await writer.DisposeAsync();
        Assert.Equal(0, await reader.ReadAsync(buffer));
    }

    [Fact]
    public async Task A_read_can_be_cancelled_and_tried_again()
    {
        var (read, write) = Pipe.Create();
        await using var reader = PollableFd.Take(read);
        using var cancel = new CancellationTokenSource();
        var pending = reader.ReadAsync(new byte[10], cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await pending);
        await using var writer = PollableFd.Take(write);
        await writer.WriteAsync(new byte[3]);
        Assert.Equal(3, await reader.ReadAsync(new byte[10]));
    }

    [Fact]
    public async Task Writing_waits_for_a_slow_reader_and_fails_without_one()
    {
        var (read, write) = Pipe.Create();
        Assert.Equal(1 << 20, Pipe.TrySetSize(write, 1 << 20));
        await using var reader = PollableFd.Take(read);
        await using var writer = PollableFd.Take(write);
        var writing = writer.WriteAsync(new byte[3 << 20]).AsTask();
        Assert.False(writing.IsCompleted);
        var buffer = new byte[1 << 20];
        for (var total = 0; total < 3 << 20;)
        {
            total += await reader.ReadAsync(buffer);
        }

        await writing;
        await reader.DisposeAsync();

        // A child that another test is just starting holds a copy of the read end until it executes its program.
        await Eventually.True(
            async () =>
            {
                try
                {
                    await writer.WriteAsync(new byte[1]);
                    return false;
                }
                catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
                {
                    return true;
                }
            },
            TimeSpan.FromSeconds(10),
            "writing without a reader fails");
    }

    [Fact]
    public async Task Bulk_through_a_pipe_keeps_up_with_cat()
    {
        var (read, write) = Pipe.Create();
        Pipe.TrySetSize(read, 1 << 20);
        var child = ChildProcess.Start(new() { FileName = "head", Argv = ["head", "-c", "512M", "/dev/zero"], Env = [$"PATH={SpawnOptions.DefaultPath}"], Fds = [new((int)write.DangerousGetHandle(), 1)] });
        write.Dispose();
        await using var reader = PollableFd.Take(read);
        var buffer = new byte[256 * 1024];
        var begin = Stopwatch.GetTimestamp();
        long total = 0;
        while (await reader.ReadAsync(buffer) is var n and > 0)
        {
            total += n;
        }

        Assert.Equal(512L << 20, total);
        await child.Exited;
        TestContext.Current.SendDiagnosticMessage($"512 MiB through a pipe: {Stopwatch.GetElapsedTime(begin).TotalMilliseconds:F0} ms");
        Assert.InRange(Stopwatch.GetElapsedTime(begin).TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task A_terminal_has_a_size_takes_control_and_its_end_is_end_of_stream()
    {
        var (controller, terminal) = Pty.Open(100, 30);
        var fd = (int)terminal.DangerousGetHandle();
        Assert.True(RawMode.IsTerminal(terminal));
        var child = ChildProcess.Start(new()
        {
            FileName = "sh",
            Argv = ["sh", "-c", "tty; stty size; read x; stty size; echo got $x"],
            Env = [$"PATH={SpawnOptions.DefaultPath}"],
            NewSession = true,
            ControllingTerminal = true,
            Fds = [new(fd, 0), new(fd, 1), new(fd, 2)],
        });
        terminal.Dispose();
        await using var stream = PollableFd.Take(controller);
        var text = "";
        var buffer = new byte[4096];
        async Task Until(string mark)
        {
            while (!text.Contains(mark))
            {
                var n = await stream.ReadAsync(buffer).AsTask().WaitAsync(Eventually.Patience);
                Assert.True(n > 0, $"ended early: {text}");
                text += System.Text.Encoding.UTF8.GetString(buffer, 0, n);
            }
        }

        await Until("30 100");
        TerminalSize.Set(stream.Handle, 120, 40);
        Assert.Equal((120, 40), TerminalSize.Get(stream.Handle));
        await stream.WriteAsync("word\n"u8.ToArray());
        await Until("got word");
        Assert.Contains("/dev/pts/", text);
        Assert.Contains("40 120", text);
        Assert.Equal(0, (await child.Exited).Code);
        while (await stream.ReadAsync(buffer).AsTask().WaitAsync(Eventually.Patience) > 0)
        {
        }
    }

    [Fact]
    public async Task Raw_mode_is_undone()
    {
        var (controller, terminal) = Pty.Open(80, 24);
        async Task<string> Settings() =>
            (await ChildRun.RunAsync("stty", ["-a"], new() { Fds = [new((int)terminal.DangerousGetHandle(), 0)] }, default)).StdoutText;
        using (RawMode.Enter(terminal))
        {
            Assert.Contains("-icanon", await Settings());
        }

        Assert.DoesNotContain("-icanon", await Settings());
        controller.Dispose();
        terminal.Dispose();
        var (read, write) = Pipe.Create();
        Assert.Null(RawMode.Enter(read));
        read.Dispose();
        write.Dispose();
    }

    [Fact]
    public async Task Inotify_tells_what_happened()
    {
        using var temp = new TempDir();
        using var inotify = Inotify.Create();
        var watch = inotify.Add(temp.Path, InotifyMask.Create | InotifyMask.CloseWrite | InotifyMask.MovedFrom | InotifyMask.MovedTo | InotifyMask.Delete);
        temp.Write("a", "x");
        File.Move(temp["a"], temp["b"]);
        File.Delete(temp["b"]);
        List<InotifyEvent> events = [];
        while (events.Count < 5)
        {
            events.AddRange(await inotify.ReadAsync(default).AsTask().WaitAsync(Eventually.Patience));
        }

        Assert.All(events, e => Assert.Equal(watch, e.Watch));
        Assert.Equal(
            [(InotifyMask.Create, "a"), (InotifyMask.CloseWrite, "a"), (InotifyMask.MovedFrom, "a"), (InotifyMask.MovedTo, "b"), (InotifyMask.Delete, "b")],
            events.Select(e => (e.Mask, e.Name)));
        Assert.Equal(events[2].Cookie, events[3].Cookie);
        inotify.Remove(watch);
        Assert.Equal(InotifyMask.Ignored, (await inotify.ReadAsync(default))[0].Mask);
    }
}
