using Vivarium.Guest.Files;
using Vivarium.Guest.Forward;
using Vivarium.Guest.Ports;
using Vivarium.Guest.Streams;

namespace Vivarium.Guest;

/// <summary>The ports beside control and exec. A new port is added here and nowhere else.</summary>
internal static class PortHandlers
{
    /// <summary>Makes them.</summary>
    public static IEnumerable<IPortHandler> Others(GuestContext context)
    {
        return [new FilesPort(context), new StreamsPort(context), new ForwardPort()];
    }
}
