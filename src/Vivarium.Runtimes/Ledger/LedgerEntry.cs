using System.Globalization;
using Vivarium.Linux.Processes;

namespace Vivarium.Runtimes.Ledger;

/// <summary>One thing made on the host.</summary>
/// <param name="Kind">One of <see cref="LedgerKind"/>.</param>
/// <param name="Value">What identifies it; depends on the kind, never contains a newline.</param>
public readonly record struct LedgerEntry(string Kind, string Value)
{
    /// <summary>The entry of a process that runs now.</summary>
    public static LedgerEntry Of(ProcessIdentity process) =>
        new(LedgerKind.Process, string.Create(CultureInfo.InvariantCulture, $"{process.Pid} {process.StartTicks} {process.BootId}"));

    /// <summary>Reads a process back; null when the value is damaged.</summary>
    public static ProcessIdentity? ParseProcess(string value)
    {
        var parts = value.Split(' ');
        return parts.Length == 3
            && int.TryParse(parts[0], CultureInfo.InvariantCulture, out var pid)
            && ulong.TryParse(parts[1], CultureInfo.InvariantCulture, out var ticks)
            ? new ProcessIdentity(pid, ticks, parts[2])
            : null;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Kind} {Value}";
}
