using System.Security.Cryptography;
using System.Text;

namespace Vivarium.Acceptance.Harness;

/// <summary>
/// A state directory with the base template in it, built once per machine (it takes a minute and a package mirror) and copied by every daemon
/// that needs it. Keyed by the sources that decide its content, so that a change of them builds another one.
/// </summary>
internal static class GoldenState
{
    private static readonly string[] Sources = ["src/Vivarium.Templates", "src/Vivarium.Volumes", "src/Vivarium.Host/State"];

    private static readonly SemaphoreSlim OneAtATime = new(1);

    public static async Task CopyToAsync(string state)
    {
        await OneAtATime.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            var golden = Path.Combine(Checkout.Cache, "golden-" + Key());
            if (!File.Exists(Path.Combine(golden, "ready")))
            {
                await BuildAsync(golden);
            }

            await Tools.RunAsync("cp", "-a", "--sparse=always", "--reflink=auto", Path.Combine(golden, "state"), state);
        }
        finally
        {
            OneAtATime.Release();
        }
    }

    private static async Task BuildAsync(string golden)
    {
        Directory.CreateDirectory(Checkout.Cache);
        await using var holder = await LockAsync();
        if (File.Exists(Path.Combine(golden, "ready")))
        {
            return; // another run built it while we waited
        }

        foreach (var old in Directory.EnumerateDirectories(Checkout.Cache, "golden-*"))
        {
            await Tools.RunAsync("rm", "-rf", "--one-file-system", old);
        }

        await using var builder = new Builder();
        await builder.InitializeAsync();
        var built = await builder.Viv.TryAsync(new VivCall { Arguments = ["template", "build", "base"], Timeout = TimeSpan.FromMinutes(10) });
        built.MustSucceed();
        await builder.StopAndUnmountAsync();
        var staged = golden + ".new";
        await Tools.RunAsync("rm", "-rf", staged);
        Directory.CreateDirectory(staged);
        await Tools.RunAsync("cp", "-a", "--sparse=always", "--reflink=auto", builder.State, Path.Combine(staged, "state"));
        File.WriteAllText(Path.Combine(staged, "ready"), "");
        Directory.Move(staged, golden);
    }

    // An exclusively opened file: another run on the machine may be building the same thing.
    private static async Task<FileStream> LockAsync() =>
        await Eventually.AnswerAsync(
            () =>
            {
                try
                {
                    return Task.FromResult<FileStream?>(new FileStream(Path.Combine(Checkout.Cache, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
                }
                catch (IOException)
                {
                    return Task.FromResult<FileStream?>(null);
                }
            },
            TimeSpan.FromMinutes(10),
            "nobody else builds the cached state");

    private static string Key()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in Sources.Select(s => Path.Combine(Checkout.Root, s)).Where(Directory.Exists)
            .SelectMany(s => Directory.EnumerateFiles(s, "*.cs", SearchOption.AllDirectories)).Order(StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetFileName(file)));
            hash.AppendData(File.ReadAllBytes(file));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    private sealed class Builder : PrivateDaemon
    {
        // The copy must be whole: nothing may write to the pool while it is taken.
        public async Task StopAndUnmountAsync()
        {
            await Viv.RunAsync("daemon", "stop");
            foreach (var mount in File.ReadLines("/proc/self/mountinfo").Select(l => l.Split(' ')[4]).Where(m => m.StartsWith(State, StringComparison.Ordinal)).Reverse().ToList())
            {
                await Tools.RunAsync("umount", mount);
            }

            await Tools.ShAsync($"for d in $(losetup -n -l -O NAME,BACK-FILE | awk -v d='{State}' 'index($2, d) == 1 {{ print $1 }}'); do losetup -d $d; done; sync -f '{State}'");
        }
    }
}
