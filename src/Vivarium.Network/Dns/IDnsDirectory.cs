using System.Net;

namespace Vivarium.Network.Dns;

/// <summary>What the forwarder asks about who is asking and what names of sandboxes mean to them. The place where rules by host name will look at questions and answers.</summary>
internal interface IDnsDirectory
{
    /// <summary>Whether an address is a sandbox's, and whether it may resolve names of the world outside.</summary>
    (bool Known, bool Outside) Asker(IPAddress from);

    /// <summary>Addresses of the sandbox of that name, as far as the asker may know them; null: no such name.</summary>
    IReadOnlyList<IPAddress>? Lookup(IPAddress asker, string name);
}
