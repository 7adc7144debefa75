namespace Vivarium.Linux.Tar;

/// <summary>
/// One entry of an archive. Names are byte strings: each character stands for one byte (Latin-1), because what lies in a root file system need not be
/// UTF-8; <see cref="TarText"/> converts.
/// </summary>
public sealed class TarEntry
{
    /// <summary>Path in the archive, without a slash at its end.</summary>
    public string Name { get; set; } = "";

    /// <summary>What it is.</summary>
    public TarEntryType Type { get; set; }

    /// <summary>Permission bits (07777).</summary>
    public int Mode { get; set; }

    /// <summary>Owner.</summary>
    public uint Uid { get; set; }

    /// <summary>Group.</summary>
    public uint Gid { get; set; }

    /// <summary>Bytes of content that follow.</summary>
    public long Size { get; set; }

    /// <summary>Nanoseconds since the Unix epoch.</summary>
    public long ModifiedUnixNs { get; set; }

    /// <summary>Target of a symbolic link; of a hard link the name of an earlier entry.</summary>
    public string Target { get; set; } = "";

    /// <summary>Device number, of device entries.</summary>
    public (uint Major, uint Minor) Device { get; set; }

    /// <summary>Extended attributes.</summary>
    public List<(string Name, byte[] Value)> Attributes { get; } = [];
}

/// <summary>Types of entries, as their letter in the header. Source: pax in POSIX.1-2008.</summary>
public enum TarEntryType : byte
{
    /// <summary>Regular file.</summary>
    File = (byte)'0',

    /// <summary>Further name of a file earlier in the archive.</summary>
    HardLink = (byte)'1',

    /// <summary>Symbolic link.</summary>
    SymbolicLink = (byte)'2',

    /// <summary>Character device.</summary>
    CharacterDevice = (byte)'3',

    /// <summary>Block device.</summary>
    BlockDevice = (byte)'4',

    /// <summary>Directory.</summary>
    Directory = (byte)'5',

    /// <summary>Named pipe.</summary>
    Fifo = (byte)'6',
}
