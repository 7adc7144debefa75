using System.Security.Cryptography;
using Vivarium.Acceptance.Harness;

namespace Vivarium.Acceptance.Work;

/// <summary>What people use a sandbox for, on both runtimes, with the base template.</summary>
[Collection(BaseCollection.Name)]
public sealed class RealWorkTests(PrivateBaseDaemon daemon) : VivTest(daemon)
{
    // Modules of the standard library's own tests that pass on both runtimes (gVisor lacks out-of-band data and file leases): files, processes, signals, threads, sockets on loopback, memory, numbers, text, archives, databases.
    private static readonly string[] PythonTests =
    [
        "test_json", "test_re", "test_dict", "test_list", "test_set", "test_unicode", "test_bytes", "test_int", "test_float", "test_decimal", "test_calendar",
        "test_glob", "test_shutil", "test_tempfile", "test_pathlib", "test_gzip", "test_zlib", "test_hashlib",
        "test_csv", "test_configparser", "test_pickle", "test_struct", "test_mmap", "test_select",
        "test_subprocess", "test_threading", "test_queue", "test_pty", "test_pipes",
        "test_generators", "test_contextlib", "test_dataclasses", "test_functools", "test_itertools", "test_collections", "test_heapq", "test_random",
        "test_textwrap", "test_unicodedata", "test_urlparse", "test_uuid", "test_xml_etree", "test_html", "test_argparse", "test_ast", "test_tokenize",
    ];

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_local_repository_is_cloned_changed_and_committed(string runtime)
    {
        var repository = await MakeRepositoryAsync();
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        await Viv.RunAsync("cp", repository, $"{box.Id}:/srv/origin");
        var log = await box.ShAsync("""
            set -e
            git config --global --add safe.directory '*'
            git config --global user.email a@b.c && git config --global user.name A
            git clone -q /srv/origin /root/work && cd /root/work
            PYTHONDONTWRITEBYTECODE=1 python3 -m unittest -q
            echo change >>README && git commit -qam "Change it" && git push -q origin HEAD:refs/heads/changed
            git -C /srv/origin log --oneline changed | wc -l
            git fsck --full >/dev/null && git status --porcelain
            """);
        Assert.Equal("4\n", log.Stdout);
    }

    [Fact]
    public async Task A_folder_given_to_run_is_the_workspace()
    {
        var repository = await MakeRepositoryAsync();
        var result = await Viv.RunAsync("run", repository, "--", "sh", "-c", "pwd && git -c safe.directory='*' log --oneline | wc -l && python3 -m unittest -q 2>&1 | tail -n 1");
        Assert.Equal("/workspace\n3\nOK\n", result.Stdout);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_C_project_builds_and_passes_its_tests(string runtime)
    {
        // The template has no compiler; the host's own, shared read-only, stands for a toolchain a user brings along.
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "-v", "/usr:/host/usr:ro");
        var result = await box.ShAsync("""
            set -e
            mkdir -p /root/c && cd /root/c
            for i in 1 2 3 4 5 6 7 8; do printf 'int f%d(int x) { return x * %d; }\n' $i $i >f$i.c; done
            printf 'int f1(int);int f8(int);\n#include <stdio.h>\nint main(void){ if (f1(3)!=3||f8(3)!=24) return 1; puts("8 checks passed"); return 0; }\n' >test.c
            H=/host/usr
            export LD_LIBRARY_PATH=$H/lib/x86_64-linux-gnu PATH=$H/bin:$PATH
            for f in *.c; do gcc -O2 -B$H/bin/x86_64-linux-gnu- -isystem $H/include -isystem $H/include/x86_64-linux-gnu -c $f & done; wait
            gcc -static -B$H/lib/x86_64-linux-gnu -L$H/lib/x86_64-linux-gnu -o check *.o
            unset LD_LIBRARY_PATH
            ./check
            """);
        Assert.Equal("8 checks passed\n", result.Stdout);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task Python_passes_a_good_part_of_its_own_tests(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "--memory", "1GiB", "-v", "/usr/lib/python3.11/test:/mnt/test:ro");

        // A share may not hide what is the sandbox's own; a copy may take its place.
        await box.ShAsync("rm -rf /usr/lib/python3.11/test && cp -r /mnt/test /usr/lib/python3.11/test");
        var result = await Viv.TryAsync(new VivCall
        {
            Arguments =
            [
                "exec", "-w", "/tmp", box.Id, "--",
                "python3", "-m", "test", "-j2", "--timeout", "100", .. PythonTests,
            ],
            Timeout = TimeSpan.FromSeconds(280),
        });
        Assert.Contains("SUCCESS", result.MustSucceed().Stdout, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_gibibyte_of_output_arrives_whole(string runtime)
    {
        await using var box = await Daemon.CreateAsync("--runtime", runtime);
        var block = Path.Combine(Daemon.Home, "block");
        await Tools.ShAsync($"head -c 67108864 /dev/urandom >{block}");
        await Viv.RunAsync("cp", block, $"{box.Id}:/root/block");
        using var expected = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var content = await File.ReadAllBytesAsync(block, TestContext.Current.CancellationToken);
        for (var i = 0; i < 16; i++)
        {
            expected.AppendData(content);
        }

        using var seen = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long count = 0;
        var result = await Viv.TryAsync(new VivCall
        {
            Arguments = ["exec", box.Id, "--", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat /root/block; done"],
            MaxOutputBytes = 4096,
            Timeout = TimeSpan.FromSeconds(60),
            OnOutput = (bytes, stream) =>
            {
                if (stream == 1)
                {
                    seen.AppendData(bytes.Span);
                    count += bytes.Length;
                }
            },
        });
        result.MustSucceed();
        File.Delete(block);
        Assert.Equal(1024L * 1024 * 1024, count);
        Assert.Equal(expected.GetHashAndReset(), seen.GetHashAndReset());
    }

    [Theory, MemberData(nameof(Runtimes))]
    public async Task A_hundred_thousand_small_files_go_in_and_out_with_modes_links_and_times(string runtime)
    {
        // In memory: making and removing so many files on the host's disk takes longer than the copying that is tested.
        var scratch = Directory.CreateTempSubdirectory("vt-tree-").FullName;
        await Tools.RunAsync("mount", "-t", "tmpfs", "-o", "size=1g", "vivarium-test", scratch);
        try
        {
            await CopyInAndOutAsync(runtime, scratch);
        }
        finally
        {
            await Tools.RunAsync("umount", scratch);
            Directory.Delete(scratch);
        }
    }

    private async Task CopyInAndOutAsync(string runtime, string scratch)
    {
        const string Listing = "find . -printf '%P|%y|%m|%T@|%l|' \\( -type f -printf '%s' -o -true \\) -printf '\\n' | LC_ALL=C sort | sha256sum";
        var tree = Path.Combine(scratch, "tree");
        var back = Path.Combine(scratch, "back");
        await Tools.RunAsync("python3", "-c", MakeTree, tree);
        var expected = (await Tools.ShAsync($"cd {tree} && {Listing}")).StdoutText;
        await using var box = await Daemon.CreateAsync("--runtime", runtime, "--memory", "512MiB");
        var minutes = TimeSpan.FromMinutes(3);
        (await Viv.TryAsync(VivCall.Of("cp", tree, $"{box.Id}:/root/tree") with { Timeout = minutes })).MustSucceed();
        var inside = (await Viv.TryAsync(VivCall.Of("exec", box.Id, "--", "sh", "-c", $"cd /root/tree && {Listing}") with { Timeout = minutes })).MustSucceed();
        Assert.Equal(expected, inside.Stdout);
        (await Viv.TryAsync(VivCall.Of("cp", $"{box.Id}:/root/tree", back) with { Timeout = minutes })).MustSucceed();
        Assert.Equal(expected, (await Tools.ShAsync($"cd {back} && {Listing}")).StdoutText);
        Assert.Equal(
            (await Tools.ShAsync($"cd {tree} && find . -type f -print0 | sort -z | xargs -0 cat | sha256sum")).StdoutText,
            (await Tools.ShAsync($"cd {back} && find . -type f -print0 | sort -z | xargs -0 cat | sha256sum")).StdoutText);
    }

    private const string MakeTree = """
        import os, sys
        root = sys.argv[1]
        os.mkdir(root)
        for d in range(500):
            p = f"{root}/dir {d}"
            os.mkdir(p)
            for f in range(200):
                n = f"{p}/{f}.txt"
                if f % 50 == 49:
                    os.symlink(f"{f - 1}.txt", n)
                    continue
                if f % 50 == 48:
                    os.link(f"{p}/{f - 1}.txt", n)
                    continue
                with open(n, "w") as o:
                    o.write(f"{d} {f}\n" * (f % 7))
                os.chmod(n, 0o600 if f % 3 else 0o755)
                os.utime(n, ns=(1_500_000_000_000_000_000 + f, 1_500_000_000_000_000_000 + d * 1_000_000_007 + f))
            os.chmod(p, 0o750 if d % 2 else 0o755)
            os.utime(p, ns=(0, 1_400_000_000_000_000_000 + d))
        os.utime(root, ns=(0, 1_300_000_000_000_000_000))
        """;

    private async Task<string> MakeRepositoryAsync()
    {
        var repository = Path.Combine(Daemon.Home, "repository");
        await Tools.ShAsync($$"""
            rm -rf {{repository}} && mkdir {{repository}} && cd {{repository}} && git init -q -b main . &&
            git config user.email a@b.c && git config user.name A &&
            printf 'def add(a, b):\n    return a + b\n' >calc.py && git add . && git commit -qm "Add" &&
            printf 'import unittest\nfrom calc import add\nclass T(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n' >test_calc.py && git add . && git commit -qm "Test it" &&
            echo calc >README && git add . && git commit -qm "Say what it is"
            """);
        return repository;
    }
}
