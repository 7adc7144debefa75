using System.Text;
using Vivarium.Volumes;
using Vivarium.Wire.Errors;

namespace Vivarium.Storage.Tests.Volumes;

/// <summary>Snapshots: what a store that can make them promises, and how one that cannot says so.</summary>
public abstract partial class StoreConformance
{
    [Fact]
    public async Task A_snapshot_keeps_its_content_and_a_rollback_brings_it_back()
    {
        if (!await SandboxWithSnapshotsAsync())
        {
            return;
        }

        var path = Store.PathOf(VolumeKind.Sandbox, "s");
        await Store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, "p1", Token);
        await Shell.RunAsync($"cd {path} && echo two > a && mkdir d && echo x > d/x && ! touch {Store.PathOf(VolumeKind.Snapshot, "p1")}/no 2>/dev/null");
        await Store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, "p2", Token);
        for (var round = 0; round < 3; round++)
        {
            await Store.RollBackAsync("p1", "s", round == 1 ? 500_000_000 : null, Token);
            Assert.Equal("one", await File.ReadAllTextAsync(path + "/a", Token));
            Assert.False(Directory.Exists(path + "/d"));
            await File.WriteAllTextAsync(path + "/a", "scribble", Token);
            await Store.RollBackAsync("p2", "s", null, Token);
            Assert.Equal("two\n", await File.ReadAllTextAsync(path + "/a", Token));
            Assert.Equal("x\n", await File.ReadAllTextAsync(path + "/d/x", Token));
        }

        Assert.Equal(["p1", "p2"], Store.List(VolumeKind.Snapshot));
        Assert.Equal(["s"], Store.List(VolumeKind.Sandbox));
        Assert.Empty(await Store.ReclaimAsync(Token));
        Assert.Equal(ErrorCode.NotFound, await CodeOf(() => Store.RollBackAsync("p3", "s", null, Token)));
        Assert.Equal("two\n", await File.ReadAllTextAsync(path + "/a", Token));
    }

    [Fact]
    public async Task A_generation_grows_with_every_change_and_only_then()
    {
        if (!await SandboxWithSnapshotsAsync())
        {
            return;
        }

        var path = Store.PathOf(VolumeKind.Sandbox, "s");
        await Store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, "p1", Token);
        var taken = await Store.GenerationAsync(VolumeKind.Snapshot, "p1", flush: false, Token);
        Assert.Equal(taken, await GenerationAsync());
        await File.ReadAllTextAsync(path + "/a", Token);
        await Fixture.TemplateAsync("other", ("x", "noise elsewhere in the pool"));
        Assert.Equal(taken, await GenerationAsync());
        await File.WriteAllTextAsync(path + "/a", "1wo", Token);
        Assert.True(await GenerationAsync() > taken, "content of the same length");
        await Store.RollBackAsync("p1", "s", null, Token);
        var fresh = await GenerationAsync();
        Assert.Equal(fresh, await GenerationAsync());
        File.SetUnixFileMode(path + "/a", UnixFileMode.UserRead);
        Assert.True(await GenerationAsync() > fresh, "a mode");
        Assert.Equal(taken, await Store.GenerationAsync(VolumeKind.Snapshot, "p1", flush: false, Token));

        Task<long> GenerationAsync() => Store.GenerationAsync(VolumeKind.Sandbox, "s", flush: true, Token);
    }

    [Fact]
    public async Task Differences_are_those_a_full_walk_finds()
    {
        if (!await SandboxWithSnapshotsAsync())
        {
            return;
        }

        var path = Store.PathOf(VolumeKind.Sandbox, "s");
        await Shell.RunAsync($"cd {path} && mkdir -p src/deep/er empty && echo 1 > src/one && echo 2 > src/deep/two && echo 3 > src/deep/er/three && ln src/one src/hard && ln -s one src/soft && head -c 100000 /dev/zero > big && mkfifo pipe && touch -d @1000000000 same");
        string[] steps =
        [
            "echo more >> src/one",                                                  // both names of a hard link change
            "mv src/deep moved && echo 4 > moved/er/four",                           // a directory moves and something in it changes
            "rm src/hard && ln -sf two src/soft && chmod 600 big",                   // a name less, another target, another mode
            "rm -rf moved empty && mkdir moved && echo new > moved/two",             // gone, and made anew under the same name
            "mv big big2 && mv big2 big",                                            // there and back: nothing
            "rm same && echo -n > same && touch -d @1000000000 same",                // written anew, the same to look at: nothing
            "rm pipe && echo file > pipe && rm src/soft && mkdir src/soft",          // other types
            "dd if=/dev/urandom of=big bs=1 seek=50000 count=1 conv=notrunc 2>/dev/null", // one byte
            "chown 5:6 src/one && touch src && python3 -c \"import os;os.setxattr('big','user.x',b'1')\"",
            "for i in $(seq 300); do echo $i > src/f$i; done; ln src/f7 moved/f7; printf x > \"$(printf 'b\\377d')\"",
            "for i in $(seq 2 2 300); do rm src/f$i; done; echo x >> moved/f7",
            "head -c 50000 /dev/urandom > big; truncate -s 0 src/one; touch -h -d @5 src/f9",
        ];
        var points = new List<string> { "p0" };
        await Store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, "p0", Token);
        foreach (var (step, i) in steps.Select(static (step, i) => (step, i)))
        {
            if (i == 6)
            {
                // From here on a branch of its own: the two sides give new files the same inode numbers.
                await Store.RollBackAsync("p3", "s", null, Token);
            }

            await Shell.RunAsync($"cd {path} && {step}");
            points.Add("p" + (i + 1));
            await Store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, points[^1], Token);
        }

        var generations = new Dictionary<string, long>();
        foreach (var point in points)
        {
            generations[point] = await Store.GenerationAsync(VolumeKind.Snapshot, point, flush: false, Token);
        }

        foreach (var (from, i) in points.Select(static (p, i) => (p, i)))
        {
            foreach (var (to, j) in points.Select(static (p, j) => (p, j)))
            {
                // The newest common point: the older of the two on one line, p3 across the branches.
                var common = points[Math.Min(Math.Min(i, j), (i < 7) != (j < 7) ? 3 : int.MaxValue)];
                var expected = await WalkAsync(from, to);
                Assert.Equal(expected, await DifferencesAsync(from, to, generations[common]));
                if (i % 4 == 0 && j % 3 == 0)
                {
                    Assert.Equal(expected, await DifferencesAsync(from, to, 0));
                }
            }
        }
    }

    private async Task<string> DifferencesAsync(string from, string to, long since)
    {
        var found = new List<string>();
        await Store.CompareAsync(
            new VolumeRef(VolumeKind.Snapshot, from), new VolumeRef(VolumeKind.Snapshot, to), since, c => found.Add($"{c.Kind} {Encoding.Latin1.GetString(c.Path)} {c.SizeBefore} {c.SizeAfter}"), Token);
        found.Sort(StringComparer.Ordinal);
        return string.Join('\n', found);
    }

    /// <summary>The oracle: every entry of both looked at and read, by another program.</summary>
    private Task<string> WalkAsync(string from, string to) => WalkOnceAsync(Store.PathOf(VolumeKind.Snapshot, from), Store.PathOf(VolumeKind.Snapshot, to));

    private static async Task<string> WalkOnceAsync(string from, string to)
    {
        const string program = """
            import os,stat,sys
            def walk(top):
                seen={}
                for base,dirs,files in os.walk(top):
                    for name in dirs+files:
                        path=os.path.join(base,name); s=os.lstat(path); t=stat.S_IFMT(s.st_mode); d=stat.S_ISDIR(s.st_mode)
                        data=open(path,'rb').read() if stat.S_ISREG(s.st_mode) else os.readlink(path) if stat.S_ISLNK(s.st_mode) else b''
                        attr=sorted((a,os.getxattr(path,a,follow_symlinks=False)) for a in os.listxattr(path,follow_symlinks=False))
                        seen[os.path.relpath(path,top)]=(0 if d else s.st_size,(s.st_mode,s.st_uid,s.st_gid,attr,data,0 if d else s.st_mtime_ns))
                return seen
            a,b=walk(os.fsencode(sys.argv[1])),walk(os.fsencode(sys.argv[2]))
            out=[]
            for p in a.keys()|b.keys():
                n=p.decode('latin1')
                if p not in a: out.append(f'Added {n} 0 {b[p][0]}')
                elif p not in b: out.append(f'Removed {n} {a[p][0]} 0')
                elif a[p][1]!=b[p][1]: out.append(f'Changed {n} {a[p][0]} {b[p][0]}')
            sys.stdout.buffer.write('\n'.join(sorted(out)).encode('utf-8'))
            """;
        return (await Shell.RunAsync($"python3 - {from} {to} <<'END'\n{program}\nEND")).TrimEnd('\n');
    }

    private async Task<bool> SandboxWithSnapshotsAsync()
    {
        await Fixture.TemplateAsync("t", ("a", "one"));
        await Store.CloneAsync(VolumeKind.Template, "t", VolumeKind.Sandbox, "s", Token);
        if (Store.Capabilities.Snapshots)
        {
            return true;
        }

        foreach (var refused in (Func<Task>[])
        [
            () => Store.CloneAsync(VolumeKind.Sandbox, "s", VolumeKind.Snapshot, "p1", Token),
            () => Store.RollBackAsync("p1", "s", null, Token),
            () => Store.CompareAsync(new VolumeRef(VolumeKind.Sandbox, "s"), new VolumeRef(VolumeKind.Sandbox, "s"), 0, _ => { }, Token),
        ])
        {
            Assert.Equal("snapshots_not_available", (await Assert.ThrowsAsync<VivariumException>(refused)).Reason);
        }

        Assert.Equal(0, await Store.GenerationAsync(VolumeKind.Sandbox, "s", flush: true, Token));
        return false;
    }
}
