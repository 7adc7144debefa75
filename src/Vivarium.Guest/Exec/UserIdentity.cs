namespace Vivarium.Guest.Exec;

/// <summary>Who a process runs as.</summary>
/// <param name="Name">User name, or the number where the sandbox has no name for it.</param>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Primary group id.</param>
/// <param name="Groups">Supplementary group ids.</param>
/// <param name="Home">Home directory.</param>
/// <param name="Shell">Login shell.</param>
internal sealed record UserIdentity(string Name, uint Uid, uint Gid, IReadOnlyList<uint> Groups, string Home, string Shell);
