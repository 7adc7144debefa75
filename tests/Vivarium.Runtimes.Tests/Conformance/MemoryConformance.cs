using System.Globalization;
using System.Text;
using Vivarium.Linux.Processes;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.TestKit;
using Vivarium.Transport.Guest;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Runtimes.Tests.Conformance;

/// <summary>What every engine that saves memory must do alike; today that is a runsc of 2024 or newer.</summary>
public sealed class MemoryConformance
{
    /// <summary>Counts aloud, and into a file it keeps open; ten numbers a second or so.</summary>
    private const string Counter = "exec 3>/root/count; i=0; while :; do i=$((i+1)); echo $i; echo $i >&3; sleep 0.05; done";

    [Fact]
    public async Task Processes_go_on_after_a_save_and_come_back_from_it_as_often_as_wanted()
    {
        await using var rig = await StartedAsync();
        var pid = await LaunchAsync(rig, Counter);
        await LaunchAsync(rig, "echo held > /run/held; head -c 20000000 /dev/urandom > /dev/shm/memory; sleep 1000");
        await Eventually.True(async () => (await rig.ShellAsync("wc -c < /dev/shm/memory")).Output == "20000000\n");
        var before = (await rig.RunAsync("/bin/busybox", "md5sum", "/dev/shm/memory")).Output;

        var saved = Directory.CreateDirectory(rig.File("saved")).FullName;
        await rig.Runtime.CheckpointAsync(saved, CancellationToken.None);
        var stood = Count(rig);
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System); // what must not happen cannot be waited for
        Assert.Equal(stood, Count(rig));
        var copy = await CopyRootAsync(rig);
        await rig.Runtime.ResumeAsync(CancellationToken.None);
        await Eventually.True(() => Count(rig) > stood);
        Assert.Equal(before, (await rig.RunAsync("/bin/busybox", "md5sum", "/dev/shm/memory")).Output);

        // A fork: another place, name and machine; the first one is over.
        var token = rig.Token;
        await rig.EndAsync();
        await rig.RestoreAsync(saved, token, spec => spec with { RootPath = copy, Hostname = "another", NewMachineId = new string('a', 32) });
        Assert.Equal("another\n", (await rig.RunAsync("/bin/hostname")).Output);
        Assert.Equal(new string('a', 32) + "\n", (await rig.RunAsync("/bin/cat", "/etc/machine-id")).Output);
        Assert.Equal("held\n", (await rig.RunAsync("/bin/cat", "/run/held")).Output);
        Assert.Equal(before, (await rig.RunAsync("/bin/busybox", "md5sum", "/dev/shm/memory")).Output);
        await Eventually.True(() => Count(rig) > stood + 2);
        await AssertUnbrokenAsync(rig, pid);

        // And again, from what was restored.
        var again = Directory.CreateDirectory(rig.File("again")).FullName;
        await rig.Runtime.CheckpointAsync(again, CancellationToken.None);
        stood = Count(rig);
        (token, _) = (rig.Token, Task.CompletedTask);
        await rig.EndAsync();
        await rig.RestoreAsync(again, token, spec => spec with { NewMachineId = null });
        await Eventually.True(() => Count(rig) > stood);
        await AssertUnbrokenAsync(rig, pid);
        Assert.Equal("another\n", (await rig.RunAsync("/bin/hostname")).Output);
    }

    [Fact]
    public async Task A_paused_sandbox_can_be_saved_and_stays_paused()
    {
        await using var rig = await StartedAsync();
        await LaunchAsync(rig, Counter);
        await Eventually.True(() => Count(rig) > 1);
        await rig.Runtime.PauseAsync(CancellationToken.None);
        foreach (var name in (string[])["one", "two"])
        {
            await rig.Runtime.CheckpointAsync(Directory.CreateDirectory(rig.File(name)).FullName, CancellationToken.None);
        }

        var stood = Count(rig);
        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System); // as above
        Assert.Equal(stood, Count(rig));
        await rig.Runtime.ResumeAsync(CancellationToken.None);
        await Eventually.True(() => Count(rig) > stood);
        Assert.Equal(0, (await rig.RunAsync("/bin/true")).Exit.Code);
    }

    [Fact]
    public async Task What_cannot_be_saved_is_said_and_the_sandbox_goes_on()
    {
        await using var rig = await StartedAsync();
        var pid = await LaunchAsync(rig, "exec 5<>/root/gone; rm /root/gone; " + Counter);
        await Eventually.True(() => Count(rig) > 1);
        var error = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.CheckpointAsync(Directory.CreateDirectory(rig.File("saved")).FullName, CancellationToken.None));
        Assert.Equal((ErrorCode.FailedPrecondition, "memory_not_saved"), (error.Code, error.Reason));
        Assert.Contains("deleted", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("goroutine", error.Message, StringComparison.Ordinal);
        var stood = Count(rig);
        await Eventually.True(() => Count(rig) > stood);
        await AssertUnbrokenAsync(rig, pid);
    }

    [Fact]
    public async Task Streams_that_are_open_during_a_save_lose_no_byte()
    {
        await using var rig = await StartedAsync();
        var stream = await rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, new ExecRequest { Argv = ["/bin/sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done"] }, CancellationToken.None);
        using var output = new MemoryStream();
        var copying = process.CopyOutputAsync(output, output, CancellationToken.None);
        for (var i = 0; i < 3; i++)
        {
            await rig.Runtime.CheckpointAsync(Directory.CreateDirectory(rig.File($"saved-{i}")).FullName, CancellationToken.None);
            await rig.Runtime.ResumeAsync(CancellationToken.None);
        }

        Assert.Equal(0, (await copying.WaitAsync(TimeSpan.FromSeconds(60))).Code);
        Assert.Equal(string.Concat(Enumerable.Range(1, 20_000).Select(static i => $"{i}\n")), Encoding.ASCII.GetString(output.ToArray()));
    }

    [Fact]
    public async Task A_directory_without_a_saved_sandbox_is_refused()
    {
        await using var rig = await NewAsync();
        var error = await Assert.ThrowsAsync<VivariumException>(() => rig.Runtime.RestoreAsync(rig.Options, rig.File("nothing"), CancellationToken.None));
        Assert.Equal((ErrorCode.NotFound, "no_memory_image"), (error.Code, error.Reason));
    }

    private static async Task<RuntimeRig> NewAsync()
    {
        var engine = await Engines.RequireAsync("runsc", static engine => engine.Options?.GetValueOrDefault("memory_snapshots") == "true");
        return await RuntimeRig.NewAsync("runsc", engine);
    }

    private static async Task<RuntimeRig> StartedAsync()
    {
        var rig = await NewAsync();
        Assert.True(rig.Runtime.Capabilities.Checkpoint);
        await rig.StartAsync();
        return rig;
    }

    private static async Task<int> LaunchAsync(RuntimeRig rig, string script)
    {
        var stream = await rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, new ExecRequest { Argv = ["/bin/sh", "-c", script] }, CancellationToken.None);
        return process.Pid;
    }

    private static int Count(RuntimeRig rig)
    {
        var file = Path.Combine(rig.Spec.RootPath, "root/count");
        return File.Exists(file) ? File.ReadAllLines(file).Length : 0;
    }

    /// <summary>File and output hold every number once, in order: nothing was lost or done twice.</summary>
    private static async Task AssertUnbrokenAsync(RuntimeRig rig, int pid)
    {
        var stream = await rig.Runtime.ConnectAsync(GuestPort.Exec, CancellationToken.None);
        await using var process = await ExecClient.StartAsync(stream, new ExecRequest { Attach = new ExecAttach { Pid = pid, Offset = 0 } }, CancellationToken.None);
        var said = new StringBuilder();
        var enough = Count(rig) + 3;
        while (said.ToString().Split('\n').Length <= enough)
        {
            var frame = await process.ReadAsync(CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            said.Append(Encoding.ASCII.GetString(frame!.Value.Payload.Span));
        }

        AssertNumbers(said.ToString().Split('\n')[..^1]);
        AssertNumbers((await File.ReadAllTextAsync(Path.Combine(rig.Spec.RootPath, "root/count"))).Split('\n')[..^1]);

        static void AssertNumbers(string[] lines) => Assert.Equal(Enumerable.Range(1, lines.Length).Select(static i => i.ToString(CultureInfo.InvariantCulture)), lines);
    }

    private static async Task<string> CopyRootAsync(RuntimeRig rig)
    {
        var copy = rig.File("copy");
        Assert.True((await ChildRun.RunAsync("cp", ["-a", rig.Spec.RootPath, copy], null, CancellationToken.None)).Succeeded);
        return copy;
    }
}
