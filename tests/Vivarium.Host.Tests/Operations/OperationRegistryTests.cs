using Microsoft.Extensions.Logging.Abstractions;
using Vivarium.Host.Operations;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Operations;

public sealed class OperationRegistryTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly FakeTimeProvider time = new();
    private readonly OperationRegistry registry;

    public OperationRegistryTests() => registry = new OperationRegistry(time, NullLogger<OperationRegistry>.Instance);

    [Fact]
    public async Task A_result_and_progress_come_through()
    {
        var hold = new TaskCompletionSource();
        var operation = registry.Begin("test", async (o, _) =>
        {
            o.Report("first");
            await hold.Task;
            o.Report("second", 0.5, "half");
            return 7;
        });
        var seen = new List<OperationEvent>();
        using (operation.Listen(seen.Add))
        {
            hold.SetResult();
            Assert.Equal(7, await operation.Result.WaitAsync(Patience));
        }

        Assert.Equal("second", seen[^1].Stage);
        Assert.Equal(Operation.Succeeded, registry.Get(operation.Id).Info.Status);
    }

    [Fact]
    public async Task Cancelling_ends_it_as_canceled()
    {
        var operation = registry.Begin<int>("test", static async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return 1;
        });
        operation.Cancel();
        await operation.Ended.WaitAsync(Patience);
        Assert.Equal(Operation.Canceled, operation.Info.Status);
        Assert.Equal("canceled", operation.Info.Error!.Code);
        Assert.Equal(operation.Id, OperationRegistry.IdOf(await Assert.ThrowsAsync<VivariumException>(() => operation.Result)));
    }

    [Fact]
    public async Task A_failure_keeps_its_code_and_carries_the_operation_id()
    {
        var operation = registry.Begin<int>("test", static (_, _) => throw new VivariumException(ErrorCode.ResourceExhausted, "full", reason: "pool_full"));
        await operation.Ended.WaitAsync(Patience);
        Assert.Equal(("resource_exhausted", "pool_full", operation.Id), (operation.Info.Error!.Code, operation.Info.Error.Reason, operation.Info.Error.OperationId));
        await Assert.ThrowsAsync<VivariumException>(() => operation.Result);
    }

    [Fact]
    public async Task Ended_ones_are_forgotten_after_a_while_and_beyond_a_number()
    {
        for (var i = 0; i < OperationRegistry.Remembered + 50; i++)
        {
            await registry.Begin("test", static (_, _) => Task.FromResult(1)).Ended.WaitAsync(Patience);
        }

        Assert.InRange(registry.List().Operations.Count, 1, OperationRegistry.Remembered);
        time.Advance(OperationRegistry.Memory + TimeSpan.FromSeconds(1));
        var last = registry.Begin("test", static (_, _) => Task.FromResult(1));
        Assert.Equal(last.Id, Assert.Single(registry.List().Operations).OperationId);
    }

    [Fact]
    public void An_unknown_one_is_not_found() => Assert.Equal(ErrorCode.NotFound, Assert.Throws<VivariumException>(() => registry.Get("op-x")).Code);
}
