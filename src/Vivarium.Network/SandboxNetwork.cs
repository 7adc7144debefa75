using Vivarium.Network.Addressing;
using Vivarium.Network.Policy;

namespace Vivarium.Network;

/// <summary>The network of one sandbox as the host enforces it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name, for the domain of sandboxes.</param>
/// <param name="Address">Its addresses.</param>
/// <param name="Policy">What it may reach.</param>
public sealed record SandboxNetwork(string Id, string Name, SandboxAddress Address, NetworkPolicy Policy);
