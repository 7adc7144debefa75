using Vivarium.Linux.Loop;
using Vivarium.Volumes;
using Vivarium.Volumes.Selection;

namespace Vivarium.Storage.Tests.Volumes;

/// <summary>A state directory of its own with a real store in it; unmounts and removes everything at the end.</summary>
public sealed class StoreFixture : IAsyncDisposable
{
    private StoreFixture(PoolOptions options, VolumeStores.Opened opened)
    {
        Options = options;
        Store = opened.Store;
        Choice = opened.Choice;
    }

    public PoolOptions Options { get; }

    public IVolumeStore Store { get; private set; }

    public StoreChoice Choice { get; }

    public static async Task<StoreFixture> OpenAsync(string store, long sizeBytes = 2L << 30)
    {
        var directory = Directory.CreateTempSubdirectory("viv-storage-").FullName;
        var options = new PoolOptions { StateDirectory = directory, Store = store, SizeBytes = sizeBytes };
        return new StoreFixture(options, await VolumeStores.OpenAsync(options, CancellationToken.None));
    }

    /// <summary>As a daemon that starts again.</summary>
    public async Task ReopenAsync(PoolOptions? options = null)
    {
        await Store.DisposeAsync();
        Store = (await VolumeStores.OpenAsync(options ?? Options, CancellationToken.None)).Store;
    }

    /// <summary>A committed template with these files.</summary>
    public async Task<string> TemplateAsync(string key, params (string Path, string Text)[] files)
    {
        var directory = await Store.CreateAsync(VolumeKind.Template, "making-" + key, CancellationToken.None);
        foreach (var (path, text) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(directory, path))!);
            await File.WriteAllBytesAsync(Path.Combine(directory, path), System.Text.Encoding.UTF8.GetBytes(text));
        }

        await Store.CommitAsync(VolumeKind.Template, "making-" + key, key, CancellationToken.None);
        return key;
    }

    public async ValueTask DisposeAsync()
    {
        var image = Options.Directory + ".img";
        await Store.UnmountAsync(CancellationToken.None);
        await Store.DisposeAsync();
        await WithinAsync(() => !LoopOf(image), "the loop device is let go with the mount");

        // Not Directory.Delete: the names in there need not be text.
        await Shell.RunAsync($"rm -rf --one-file-system {Options.StateDirectory}");
    }

    /// <summary>Waits for something that the system does in its own time; fails loudly after ten seconds.</summary>
    public static async Task WithinAsync(Func<bool> condition, string what)
    {
        for (var attempt = 0; !condition(); attempt++)
        {
            Assert.True(attempt < 200, $"did not happen within 10 s: {what}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
        }
    }

    public static bool LoopOf(string image) =>
        Directory.EnumerateDirectories("/sys/block", "loop*").Any(d => LoopDevice.BackingFile(Path.GetFileName(d)) == image);
}
