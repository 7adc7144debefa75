namespace Vivarium.Cli.Copy;

/// <summary>One header of a tar stream. Type as in POSIX: '0' file, '1' hard link, '2' symbolic link, '3' and '4' devices, '5' directory, '6' fifo.</summary>
internal sealed record TarEntry
{
    /// <summary>Path in the archive, relative, without a slash at its end.</summary>
    public required string Name { get; init; }

    public required char Type { get; init; }

    /// <summary>Permission bits (07777).</summary>
    public required int Mode { get; init; }

    public uint Uid { get; init; }

    public uint Gid { get; init; }

    /// <summary>Bytes of content that follow.</summary>
    public long Size { get; init; }

    /// <summary>Nanoseconds since the Unix epoch.</summary>
    public long ModifiedUnixNs { get; init; }

    /// <summary>Target of a link.</summary>
    public string Target { get; init; } = "";
}
