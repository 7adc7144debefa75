using Vivarium.Guest.Ports;

namespace Vivarium.Guest;

/// <summary>The ports beside control and exec. A new port is added here and nowhere else.</summary>
internal static class PortHandlers
{
    /// <summary>Makes them.</summary>
    public static IEnumerable<IPortHandler> Others(GuestContext context)
    {
        _ = context;
        return [];
    }
}
