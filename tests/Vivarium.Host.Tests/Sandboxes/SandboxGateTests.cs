using Microsoft.Extensions.Logging.Abstractions;
using Vivarium.Host.Sandboxes;
using Vivarium.Host.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Sandboxes;

public sealed class SandboxGateTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private int destroyed;

    public static TheoryData<string, string, bool> Table
    {
        get
        {
            var data = new TheoryData<string, string, bool>();
            foreach (var state in new[]
            {
                SandboxState.Creating, SandboxState.Running, SandboxState.Paused, SandboxState.Stopped, SandboxState.Failed, SandboxState.Stopping, SandboxState.Destroying,
            })
            {
                data.Add("start", state, state is SandboxState.Stopped or SandboxState.Failed);
                data.Add("stop", state, state is SandboxState.Running or SandboxState.Paused);
                data.Add("restart", state, state is SandboxState.Running or SandboxState.Paused or SandboxState.Stopped or SandboxState.Failed);
                data.Add("pause", state, state is SandboxState.Running);
                data.Add("resume", state, state is SandboxState.Paused);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Table))]
    public async Task Each_operation_is_allowed_from_its_states_only(string operation, string state, bool allowed)
    {
        var rules = operation switch
        {
            "start" => GateRules.Start,
            "stop" => GateRules.Stop,
            "restart" => GateRules.Restart,
            "pause" => GateRules.Pause,
            _ => GateRules.Resume,
        };
        var sandbox = Make(state);
        var attempt = sandbox.PerformAsync(rules, static _ => Task.FromResult(1)).WaitAsync(Patience);
        if (allowed)
        {
            Assert.Equal(1, await attempt);
        }
        else
        {
            Assert.Equal(ErrorCode.FailedPrecondition, (await Assert.ThrowsAsync<VivariumException>(() => attempt)).Code);
        }

        Assert.Equal(state, sandbox.Record.State);
    }

    [Fact]
    public async Task While_one_runs_another_is_refused_and_names_it()
    {
        var sandbox = Make(SandboxState.Running);
        var hold = new TaskCompletionSource();
        var first = sandbox.PerformAsync(GateRules.Pause, async _ =>
        {
            await hold.Task;
            return 1;
        });
        var error = await Assert.ThrowsAsync<VivariumException>(() => sandbox.PerformAsync(GateRules.Stop, static _ => Task.FromResult(1)).WaitAsync(Patience));
        Assert.Equal("operation_in_progress", error.Reason);
        Assert.Contains("pausing", error.Message, StringComparison.Ordinal);
        hold.SetResult();
        Assert.Equal(1, await first.WaitAsync(Patience));
        Assert.Equal(2, await sandbox.PerformAsync(GateRules.Stop, static _ => Task.FromResult(2)).WaitAsync(Patience));
    }

    [Fact]
    public async Task Destroy_cancels_what_runs_waits_for_it_and_wins()
    {
        var sandbox = Make(SandboxState.Creating);
        var undone = false;
        var create = sandbox.PerformAsync(GateRules.Create, async token =>
        {
            try
            {
                await Task.Delay(Timeout.Infinite, token);
            }
            finally
            {
                undone = true;
            }

            return 1;
        });
        var destroy = sandbox.DestroyAsync(DestroyMode.Now);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => create.WaitAsync(Patience));
        await destroy.WaitAsync(Patience);
        Assert.True(undone);
        Assert.Equal(SandboxState.Gone, sandbox.Record.State);
        Assert.Equal(1, destroyed);
    }

    [Fact]
    public async Task Many_destroys_are_one()
    {
        var sandbox = Make(SandboxState.Running);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(() => sandbox.DestroyAsync(DestroyMode.Now)))).WaitAsync(Patience);
        await sandbox.DestroyAsync(DestroyMode.Orderly).WaitAsync(Patience);
        Assert.Equal(1, destroyed);
    }

    [Fact]
    public async Task After_the_end_operations_are_refused_not_forgotten()
    {
        var sandbox = Make(SandboxState.Running);
        await sandbox.DestroyAsync(DestroyMode.Now).WaitAsync(Patience);
        var error = await Assert.ThrowsAsync<VivariumException>(() => sandbox.PerformAsync(GateRules.Stop, static _ => Task.FromResult(1)).WaitAsync(Patience));
        Assert.Equal("destroying", error.Reason);
    }

    [Fact]
    public async Task A_destroy_that_failed_can_be_tried_again()
    {
        var attempts = 0;
        var sandbox = new Sandbox(
            Records.Make("one"),
            (s, _) =>
            {
                if (++attempts == 1)
                {
                    throw new VivariumException(ErrorCode.Internal, "no");
                }

                s.Publish(s.Record with { State = SandboxState.Gone });
                return Task.CompletedTask;
            },
            static (_, _) => Task.CompletedTask,
            NullLogger.Instance);
        await Assert.ThrowsAsync<VivariumException>(() => sandbox.DestroyAsync(DestroyMode.Now).WaitAsync(Patience));
        await sandbox.DestroyAsync(DestroyMode.Now).WaitAsync(Patience);
        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task A_failing_operation_frees_the_gate()
    {
        var sandbox = Make(SandboxState.Running);
        await Assert.ThrowsAsync<InvalidOperationException>(() => sandbox.PerformAsync<int>(GateRules.Pause, static _ => throw new InvalidOperationException()).WaitAsync(Patience));
        Assert.Equal(1, await sandbox.PerformAsync(GateRules.Pause, static _ => Task.FromResult(1)).WaitAsync(Patience));
    }

    private Sandbox Make(string state) => new(
        Records.Make("one", state),
        (s, _) =>
        {
            Interlocked.Increment(ref destroyed);
            s.Publish(s.Record with { State = SandboxState.Gone });
            return Task.CompletedTask;
        },
        static (_, _) => Task.CompletedTask,
        NullLogger.Instance);
}
