using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Linux.Interop;

namespace Vivarium.Linux.Processes;

/// <summary>The C structure of vivspawn.c, filled from <see cref="SpawnOptions"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe partial struct SpawnRequest
{
    private const int MaxFds = 256;

    private byte** paths;
    private byte** argv;
    private byte** envp;
    private byte* cwd;
    private int* fds;
    private byte** cgroups;
    private ulong* limits;
    private uint* groups;
    private ulong dropCapabilities;
    private int fdCount;
    private int limitCount;
    private int groupCount;
    private Flags flags;
    private uint uid;
    private uint gid;
    private int deathSignal;
    private int oomScoreAdj;
    private int umask;
    private int firstFreeFd;
    private Parked parked;
#pragma warning disable IDE0044 // The C side writes them.
    private int failedStep;
    private int failedErrno;
#pragma warning restore IDE0044

    [Flags]
    private enum Flags : uint
    {
        None = 0,
        NewSession = 1,
        ControllingTty = 2,
        SetUid = 4,
        SetGid = 8,
        SetOom = 16,
        NoNewPrivs = 32,
        SetUmask = 64,
    }

    /// <summary>Starts the program; returns its pid once it runs.</summary>
    public static int Spawn(SpawnOptions options)
    {
        if (options.Argv.Count == 0)
        {
            throw new ArgumentException("argv must have at least one element", nameof(options));
        }

        if (options.Fds.Count > MaxFds)
        {
            throw new ArgumentException($"at most {MaxFds} descriptors can be mapped", nameof(options));
        }

        using var arena = new NativeArena();
        // SAFETY: everything the request points to belongs to the arena, which outlives the call.
        var request = arena.Array<SpawnRequest>(1);
        request->Fill(options, arena);
        var pid = NativeSpawn(request);
        return pid > 0 ? pid : throw new SpawnException((SpawnStep)request->failedStep, request->failedErrno, options);
    }

    private void Fill(SpawnOptions options, NativeArena arena)
    {
        paths = arena.Texts(Candidates(options));
        argv = arena.Texts(options.Argv);
        envp = arena.Texts(options.Env);
        cwd = options.Cwd is null ? null : arena.Text(options.Cwd);

        fdCount = options.Fds.Count;
        fds = arena.Array<int>(fdCount * 2);
        firstFreeFd = 3;
        for (var i = 0; i < fdCount; i++)
        {
            fds[2 * i] = options.Fds[i].Source;
            fds[(2 * i) + 1] = options.Fds[i].Target;
            firstFreeFd = Math.Max(firstFreeFd, options.Fds[i].Target + 1);
        }

        cgroups = arena.Texts(options.CgroupDirectories ?? []);

        limitCount = options.Limits?.Count ?? 0;
        limits = arena.Array<ulong>(limitCount * 3);
        for (var i = 0; i < limitCount; i++)
        {
            limits[3 * i] = (ulong)options.Limits![i].Kind;
            limits[(3 * i) + 1] = options.Limits[i].Soft;
            limits[(3 * i) + 2] = options.Limits[i].Hard;
        }

        groupCount = options.Groups?.Count ?? -1;
        groups = arena.Array<uint>(Math.Max(groupCount, 0));
        for (var i = 0; i < groupCount; i++)
        {
            groups[i] = options.Groups![i];
        }

        dropCapabilities = (options.DropCapabilities ?? []).Aggregate(0UL, static (mask, capability) => mask | 1UL << (int)capability);
        flags = (options.NewSession ? Flags.NewSession : 0)
            | (options.ControllingTerminal ? Flags.ControllingTty : 0)
            | (options.Uid is null ? 0 : Flags.SetUid)
            | (options.Gid is null ? 0 : Flags.SetGid)
            | (options.OomScoreAdj is null ? 0 : Flags.SetOom)
            | (options.NoNewPrivileges ? Flags.NoNewPrivs : 0)
            | (options.Umask is null ? 0 : Flags.SetUmask);
        uid = options.Uid ?? 0;
        gid = options.Gid ?? 0;
        deathSignal = options.ParentDeathSignal;
        oomScoreAdj = options.OomScoreAdj ?? 0;
        umask = options.Umask ?? 0;
    }

    private static IReadOnlyList<string> Candidates(SpawnOptions options)
    {
        if (options.FileName.Contains('/') || options.FileName.Length == 0)
        {
            return [options.FileName];
        }

        const string prefix = "PATH=";
        var path = options.Env.FirstOrDefault(e => e.StartsWith(prefix, StringComparison.Ordinal))?[prefix.Length..] ?? SpawnOptions.DefaultPath;
        return [.. path.Split(':').Select(d => d.Length == 0 ? "./" + options.FileName : $"{d}/{options.FileName}")];
    }

    [LibraryImport("vivspawn", EntryPoint = "viv_spawn")]
    private static partial int NativeSpawn(SpawnRequest* request);

    [InlineArray(MaxFds)]
    private struct Parked
    {
        private int first;
    }
}
