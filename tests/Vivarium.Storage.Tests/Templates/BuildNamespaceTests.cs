using System.Text;
using Vivarium.Linux.Processes;
using Vivarium.Storage.Tests.Volumes;
using Vivarium.Templates.Recipes;
using Vivarium.Volumes;

namespace Vivarium.Storage.Tests.Templates;

/// <summary>A build takes a minute; meanwhile other pools of the machine come and go.</summary>
public sealed class BuildNamespaceTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_build_keeps_its_own_pool_and_no_other()
    {
        await using var own = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        await using var other = await StoreFixture.OpenAsync("btrfs", 1L << 30);
        var root = await own.Store.CreateAsync(VolumeKind.Template, "t", Token);
        var said = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var text = "";
        void Listen(ReadOnlyMemory<byte> piece, int stream)
        {
            text += Encoding.UTF8.GetString(piece.Span);
            if (text.Contains("end\n", StringComparison.Ordinal))
            {
                said.TrySetResult(text);
            }
        }

        var options = new ChildRunOptions { Timeout = TimeSpan.FromMinutes(2), DieWithParent = true, OnOutput = Listen };
        var build = ChildRun.RunAsync(
            BuildNamespace.Program,
            [.. BuildNamespace.Arguments(root), "sh", "-c", $"touch {root}/made; grep -o ' {own.Options.StateDirectory}[^ ]* \\| {other.Options.StateDirectory}[^ ]* ' /proc/self/mountinfo; echo end; exec sleep 100"],
            options,
            stop.Token);
        try
        {
            Assert.Equal($" {own.Options.Directory} \nend\n", await said.Task.WaitAsync(TimeSpan.FromSeconds(60), Token));
            await other.Store.UnmountAsync(Token);
            await StoreFixture.WithinAsync(() => !StoreFixture.LoopOf(other.Options.Directory + ".img"), "the other pool is let go while the build goes on");
            Assert.False(build.IsCompleted);
        }
        finally
        {
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => build);
        }

        Assert.True(File.Exists(root + "/made"));
        await own.Store.AbandonAsync(VolumeKind.Template, "t", Token);
    }
}
