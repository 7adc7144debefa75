using System.Globalization;
using System.Text.Json;
using Vivarium.Runtimes.Tests.Harness;
using Vivarium.Transport.Supervisor;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Tests.Escape;

/// <summary>
/// A guest that attacks its supervisor (<c>hostile-guest.c</c> in the agent's place): whatever it does, the supervisor's memory is bounded, it answers, and it ends
/// when it is told to.
/// </summary>
public sealed class HostileGuestTests
{
    private const int MaxPeakKib = 160 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("garbage")]
    [InlineData("huge")]
    [InlineData("streams")]
    [InlineData("pings")]
    [InlineData("endless-line")]
    [InlineData("deep")]
    [InlineData("wrong-token")]
    public async Task A_guest_that_breaks_the_protocol_fails_its_sandbox(string mode)
    {
        await using var rig = await StartAsync(mode);
        await PeakWhileAsync(rig, rig.Process.Exited.WaitAsync(Patience));
        Assert.Equal(SupervisorPhase.Failed, rig.ReadExit().Phase);
    }

    [Theory]
    [InlineData("silent")]
    [InlineData("console")]
    public async Task A_guest_that_never_answers_can_be_asked_about_and_stopped(string mode)
    {
        await using var rig = await StartAsync(mode);
        await using var client = await rig.ClientAsync();
        for (var i = 0; i < 5; i++)
        {
            Assert.NotEqual(SupervisorPhase.Running, (await client.StatusAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10))).Phase);
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }

        await StopAsync(rig);
        foreach (var log in Directory.EnumerateFiles(rig.Spec.LogDirectory))
        {
            Assert.InRange(new FileInfo(log).Length, 0, (2 * rig.Spec.LogMaxBytes) + 65_536);
        }
    }

    [Theory]
    [InlineData("run-silent", GuestPort.Exec)]
    [InlineData("run-garbage", GuestPort.Exec)]
    [InlineData("run-endless", GuestPort.Exec)]
    [InlineData("run-flood", GuestPort.Exec)]
    [InlineData("run-reset", GuestPort.Exec)]
    [InlineData("run-flood", GuestPort.Files)]
    [InlineData("run-garbage", GuestPort.Files)]
    [InlineData("run-flood", GuestPort.Forward)]
    [InlineData("run-flood", GuestPort.Streams)]
    public async Task A_guest_that_misbehaves_on_a_port_harms_that_stream_or_its_own_sandbox_only(string mode, int port)
    {
        await using var rig = await StartAsync(mode);
        await rig.ReachAsync(SupervisorPhase.Running);
        var failure = await Record.ExceptionAsync(() => PeakWhileAsync(rig, UseAsync(rig, port)));
        Assert.True(failure is null or IOException or VivariumException or JsonException or OperationCanceledException or TimeoutException, failure?.ToString());
        if (!rig.Process.Exited.IsCompleted)
        {
            await StopAsync(rig);
        }
    }

    private static async Task<SupervisorRig> StartAsync(string mode)
    {
        var agent = await CProgram.CompileAsync("hostile-guest.c");
        var rig = await SupervisorRig.NewAsync(spec => spec with { GuestAgentPath = agent, LogMaxBytes = 256 * 1024 });
        await File.WriteAllTextAsync(Path.Combine(rig.Spec.RootPath, "mode"), mode);
        await rig.LaunchAsync();
        return rig;
    }

    /// <summary>Sends a line and reads for a moment, as a client that reads slowly would.</summary>
    private static async Task UseAsync(SupervisorRig rig, int port)
    {
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await using var stream = await SupervisorClient.OpenPortAsync(rig.SocketPath, port, null, enough.Token);
        await stream.WriteAsync("{\"argv\":[\"true\"]}\n"u8.ToArray(), enough.Token);
        var buffer = new byte[4096];
        for (var i = 0; i < 16 && await stream.ReadAsync(buffer, enough.Token) > 0; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, enough.Token);
        }
    }

    private static async Task PeakWhileAsync(SupervisorRig rig, Task work)
    {
        var peak = 0;
        while (await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System)) != work)
        {
            peak = Math.Max(peak, Peak(rig.Process.Pid));
        }

        Assert.InRange(peak, 0, MaxPeakKib);
        await work;
    }

    private static int Peak(int pid)
    {
        try
        {
            var line = File.ReadLines($"/proc/{pid}/status").FirstOrDefault(static l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0; // it has ended
        }
    }

    private static async Task StopAsync(SupervisorRig rig)
    {
        await using (var client = await rig.ClientAsync())
        {
            await Record.ExceptionAsync(() => client.ForceStopAsync(new StopParams(), CancellationToken.None)); // the answer may be cut off by its end
        }

        await rig.Process.Exited.WaitAsync(Patience);
    }
}
