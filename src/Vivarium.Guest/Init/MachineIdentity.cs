using System.Net;
using System.Text;
using Vivarium.Guest.Io;
using Vivarium.Linux;
using Vivarium.Wire.Errors;

namespace Vivarium.Guest.Init;

/// <summary>Name, clock, name servers, machine id and randomness of the sandbox. On a shared machine (runtime <c>direct</c>) nothing is touched.</summary>
internal static class MachineIdentity
{
    private const int MaxHostname = 64;
    private const nuint RNDRESEEDCRNG = 0x5207;

    /// <summary>Sets what is given.</summary>
    public static void Apply(GuestContext context, string? hostname, IReadOnlyList<string>? nameservers, long? unixTimeMs)
    {
        if (hostname is { } name && (name.Length is 0 or > MaxHostname || !name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.')))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "a host name has 1 to 64 letters, digits, dashes and dots");
        }

        if (nameservers?.FirstOrDefault(static server => !IPAddress.TryParse(server, out _)) is { } wrong)
        {
            throw new VivariumException(ErrorCode.InvalidArgument, $"name server '{wrong}' is not an IP address");
        }

        if (!context.IsInit)
        {
            return;
        }

        if (unixTimeMs is { } time)
        {
            StepClock(time);
        }

        if (hostname is not null && hostname != Environment.MachineName)
        {
            SystemCalls.SetHostname(hostname);
        }

        if (nameservers is { Count: > 0 })
        {
            Replace("/etc/resolv.conf", string.Concat(nameservers.Select(static server => $"nameserver {server}\n")));
        }
    }

    /// <summary>Replaces the machine id and stirs fresh randomness into the kernel's generator.</summary>
    public static void Renew(GuestContext context, string? machineId, string? entropy)
    {
        if (machineId is { } id && (id.Length != 32 || !id.All(char.IsAsciiHexDigitLower)))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "a machine id has 32 lower-case hexadecimal digits");
        }

        var seed = new byte[512];
        var count = 0;
        if (entropy is not null && (!Convert.TryFromBase64String(entropy, seed, out count) || count < 32))
        {
            throw new VivariumException(ErrorCode.InvalidArgument, "entropy must be 32 to 512 bytes in base64");
        }

        if (!context.IsInit)
        {
            return;
        }

        if (machineId is not null)
        {
            Replace("/etc/machine-id", machineId + "\n");
        }

        if (count > 0)
        {
            Stir(seed.AsSpan(0, count));
        }
    }

    private static void StepClock(long unixMs)
    {
        // A container shares its host's clock, which is right already; only a machine of its own can and must be stepped.
        var difference = Math.Abs(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() - unixMs);
        if (difference < 500)
        {
            return;
        }

        try
        {
            SystemCalls.SetClock(unixMs);
        }
        catch (LinuxException e) when (e.Errno == Errno.EPERM)
        {
            ConsoleLog.Write($"the clock is {difference} ms off and may not be stepped here");
        }
    }

    private static void Replace(string path, string content)
    {
        // In place: the file may be a mount of its own, which nothing can be renamed onto.
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, 0);
        file.Write(Encoding.UTF8.GetBytes(content));
    }

    private static unsafe void Stir(ReadOnlySpan<byte> seed)
    {
        using var random = File.OpenHandle("/dev/urandom", FileMode.Open, FileAccess.Write);
        RandomAccess.Write(random, seed, 0);

        // SAFETY: this request takes no argument. It needs CAP_SYS_ADMIN; without it the kernel takes up the seed within minutes by itself.
        _ = Libc.Ioctl((int)random.DangerousGetHandle(), RNDRESEEDCRNG, null);
    }
}
