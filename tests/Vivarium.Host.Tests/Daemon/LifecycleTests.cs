using System.Text;
using Vivarium.Host.Tests.Support;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Daemon;

[Collection(DaemonTests.Name)]
public sealed class LifecycleTests(SharedDaemon shared) : IClassFixture<SharedDaemon>, IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private TestDaemon Daemon => shared.Daemon;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        await Daemon.DestroyAllAsync();
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task The_states_of_a_life_in_order()
    {
        await using var client = await Daemon.ConnectAsync();
        var made = await client.CreateAsync(new CreateParams { Name = "life", Labels = new Dictionary<string, string> { ["k"] = "v" } }, None);
        Assert.Equal((SandboxState.Running, "container", true), (made.State, made.Runtime, made.Isolated));
        Assert.Matches("^[a-z0-9]{20}$", made.Id);
        Assert.StartsWith("sha256:", made.TemplateDigest, StringComparison.Ordinal);
        Assert.Equal(0, (await Daemon.RunAsync("life", "sh", "-c", "echo kept > /root/file")).Exit.Code);

        var paused = await client.PauseAsync("life", None);
        Assert.Equal(SandboxState.Paused, paused.State);
        Assert.Equal("not_running", (await Assert.ThrowsAsync<VivariumException>(() => Daemon.RunAsync("life", "true"))).Reason);
        Assert.Equal("already_paused", (await Assert.ThrowsAsync<VivariumException>(() => client.PauseAsync("life", None))).Reason);
        var resumed = await client.ResumeAsync("life", None);
        Assert.Equal((SandboxState.Running, made.BootId), (resumed.State, resumed.BootId));

        var stopped = await client.StopAsync(new StopSandboxParams { Ref = "life" }, None);
        Assert.Equal((SandboxState.Stopped, "requested", 0), (stopped.State, stopped.Reason, stopped.SupervisorPid));
        Assert.Equal("already_stopped", (await Assert.ThrowsAsync<VivariumException>(() => client.StopAsync(new StopSandboxParams { Ref = "life" }, None))).Reason);

        var started = await client.StartAsync("life", None);
        Assert.Equal(SandboxState.Running, started.State);
        Assert.NotEqual(made.BootId, started.BootId);
        Assert.Equal("kept\n", Text((await Daemon.RunAsync("life", "cat", "/root/file")).Stdout));
        Assert.Equal("already_running", (await Assert.ThrowsAsync<VivariumException>(() => client.StartAsync("life", None))).Reason);

        var restarted = await client.RestartAsync(new StopSandboxParams { Ref = "life", Force = true }, None);
        Assert.NotEqual(started.BootId, restarted.BootId);

        Assert.Equal("running", (await Assert.ThrowsAsync<VivariumException>(() => client.DestroyAsync(new DestroyParams { Ref = "life" }, None))).Reason);
        await client.DestroyAsync(new DestroyParams { Ref = "life", Force = true }, None);
        await client.DestroyAsync(new DestroyParams { Ref = "life" }, None);
        await client.DestroyAsync(new DestroyParams { Ref = made.Id }, None);
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => client.GetAsync("life", None))).Code);
        Assert.Equal(ErrorCode.NotFound, (await Assert.ThrowsAsync<VivariumException>(() => client.DestroyAsync(new DestroyParams { Ref = "never-was" }, None))).Code);
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task Creating_and_destroying_at_once_serves_all_and_leaves_nothing()
    {
        var made = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Daemon.CreateAsync()));
        Assert.Equal(8, made.Select(static s => s.Name).Distinct().Count());
        var answers = await Task.WhenAll(made.Select(s => Daemon.RunAsync(s.Id, "hostname")));
        Assert.Equal(made.Select(static s => s.Name + "\n"), answers.Select(static a => Text(a.Stdout)));
        await Task.WhenAll(made.Select(s => Daemon.DestroyAsync(s.Name)));
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task One_name_wanted_twice_at_once_is_given_once()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            try
            {
                await Daemon.CreateAsync("wanted");
                return null;
            }
            catch (VivariumException e)
            {
                return e.Reason;
            }
        }));
        Assert.Equal(1, results.Count(static r => r is null));
        Assert.Equal(3, results.Count(static r => r == "name_taken"));
        await Daemon.DestroyAsync("wanted");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(15)]
    [InlineData(30)]
    [InlineData(45)]
    [InlineData(60)]
    [InlineData(90)]
    public async Task Destroy_wins_against_create_at_any_moment(int milliseconds)
    {
        await using var client = await Daemon.ConnectAsync();
        var name = "victim-" + milliseconds;
        var begun = await client.BeginCreateAsync(new CreateParams { Name = name }, None);
        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), TimeProvider.System);
        await Daemon.DestroyAsync(name);
        var operation = await client.WaitOperationAsync(new OperationParams { OperationId = begun.OperationId }, None);
        Assert.Contains(operation.Status, new[] { "canceled", "succeeded" });
        Assert.DoesNotContain(await Daemon.ListAsync(), s => s.Name == name);
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task Cancelling_a_create_leaves_nothing()
    {
        await using var client = await Daemon.ConnectAsync();
        var begun = await client.BeginCreateAsync(new CreateParams { Name = "canceled" }, None);
        await client.CancelOperationAsync(new OperationParams { OperationId = begun.OperationId }, None);
        var operation = await client.WaitOperationAsync(new OperationParams { OperationId = begun.OperationId }, None);
        Assert.Equal("canceled", operation.Status);
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task A_create_that_fails_says_why_and_frees_its_name()
    {
        await using var client = await Daemon.ConnectAsync();
        var error = await Assert.ThrowsAsync<VivariumException>(() => client.CreateAsync(new CreateParams { Name = "unlucky", Template = "no-such" }, None));
        Assert.Equal(ErrorCode.NotFound, error.Code);
        await Daemon.CreateAsync("unlucky");
        await Daemon.DestroyAsync("unlucky");
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task A_caller_that_leaves_does_not_end_its_create()
    {
        await using (var client = await Daemon.ConnectAsync())
        {
            _ = client.CreateAsync(new CreateParams { Name = "abandoned" }, None);
            await Eventually.True(async () => (await Daemon.ListAsync()).Any(static s => s.Name == "abandoned"));
        }

        await Eventually.True(async () => (await Daemon.GetAsync("abandoned")).State == SandboxState.Running);
        await Daemon.DestroyAsync("abandoned");
    }

    [Fact]
    public async Task Lists_filter_by_state_and_label_and_prune_takes_what_has_ended()
    {
        await using var client = await Daemon.ConnectAsync();
        await client.CreateAsync(new CreateParams { Name = "one", Labels = new Dictionary<string, string> { ["team"] = "a" } }, None);
        await client.CreateAsync(new CreateParams { Name = "two", ExternalId = "Session.2" }, None);
        await client.StopAsync(new StopSandboxParams { Ref = "Session.2", Force = true }, None);
        var running = await client.ListAsync(new ListParams { States = [SandboxState.Running] }, None);
        Assert.Equal("one", Assert.Single(running.Sandboxes).Name);
        var labelled = await client.ListAsync(new ListParams { Labels = new Dictionary<string, string> { ["team"] = "a" } }, None);
        Assert.Equal("one", Assert.Single(labelled.Sandboxes).Name);

        Assert.Equal("two", Assert.Single((await client.PruneAsync(new PruneParams { DryRun = true }, None)).Removed).Name);
        Assert.Equal(2, (await Daemon.ListAsync()).Count);
        Assert.Empty((await client.PruneAsync(new PruneParams { OlderThanMs = 3_600_000 }, None)).Removed);
        Assert.Equal("two", Assert.Single((await client.PruneAsync(new PruneParams(), None)).Removed).Name);
        await Daemon.DestroyAsync("one");
        await Daemon.EmptyAsync();
    }

    [Fact]
    public async Task Secrets_reach_the_guest_and_no_file_of_the_host()
    {
        await using var client = await Daemon.ConnectAsync();
        var made = await client.CreateAsync(new CreateParams { Secrets = [new InjectSecretPayload { Name = "token", Value = "hush-4711" }] }, None);
        var reply = await Daemon.RunAsync(made.Id, "sh", "-c", "cat /run/*/secrets/token /run/secrets/token 2>/dev/null");
        Assert.Contains("hush-4711", Text(reply.Stdout), StringComparison.Ordinal);
        foreach (var file in Directory.EnumerateFiles(Daemon.Root, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }))
        {
            // Locks are empty and sockets cannot be read.
            if (File.ResolveLinkTarget(file, returnFinalTarget: false) is null && Path.GetExtension(file) is not (".sock" or ".lock"))
            {
                Assert.DoesNotContain("hush-4711", Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file)), StringComparison.Ordinal);
            }
        }

        await Daemon.DestroyAsync(made.Id);
    }

    private static string Text(string base64) => Encoding.UTF8.GetString(Convert.FromBase64String(base64));
}
