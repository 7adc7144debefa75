using System.Collections.Concurrent;

namespace Vivarium.Volumes;

/// <summary>Paths this process is working on, so that reclaiming does not take them for leftovers of a crash.</summary>
internal sealed class ActivePaths
{
    private readonly ConcurrentDictionary<string, bool> paths = new();

    internal void Enter(string path) => paths[path] = true;

    internal void Leave(string path) => paths.TryRemove(path, out _);

    internal bool Contains(string path) => paths.ContainsKey(path);
}
