using System.Globalization;
using System.Text;

namespace Vivarium.Linux.Tar;

/// <summary>
/// Reads an archive: ustar, pax extended headers (with extended attributes) and GNU long names. The archive is hostile: sums are checked, lengths
/// bounded, what makes no sense is refused. The source should read ahead.
/// </summary>
public sealed class TarReader(Stream source)
{
    private const int MaxExtendedBytes = 1024 * 1024;
    private const long MaxSeconds = 9_000_000_000; // what fits a 64-bit count of nanoseconds

    private readonly byte[] header = new byte[TarHeader.Block];
    private readonly byte[] waste = new byte[16 * 1024];
    private long contentLeft;
    private int padding;

    /// <summary>Whether the archive ended with the empty block that says so; without one it may have been cut off between two entries.</summary>
    public bool SawEnd { get; private set; }

    /// <summary>The next entry; null at the end of the archive.</summary>
    /// <exception cref="InvalidDataException">The archive is damaged.</exception>
    /// <exception cref="EndOfStreamException">It ends in the middle.</exception>
    public TarEntry? Next()
    {
        SkipContent();
        var entry = new TarEntry();
        PaxValues? pax = null;
        string? longName = null, longTarget = null;
        for (var prefixes = 0; prefixes < 16; prefixes++)
        {
            var got = source.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
            if (got == 0 || (got == header.Length && header.AsSpan().IndexOfAnyExcept((byte)0) < 0))
            {
                SawEnd = got > 0;
                return null;
            }

            if (got < header.Length)
            {
                throw new EndOfStreamException("the archive ends in the middle of a header");
            }

            if (TarHeader.Number(TarHeader.Checksum(header)) != TarHeader.Sum(header))
            {
                throw new InvalidDataException("the archive has a header with a wrong checksum");
            }

            switch ((char)header[156])
            {
                case 'x':
                    pax = PaxValues.Parse(Extended(), entry);
                    break;
                case 'g':
                    Extended();
                    break;
                case 'L':
                    longName = TarHeader.Text(Extended());
                    break;
                case 'K':
                    longTarget = TarHeader.Text(Extended());
                    break;
                default:
                    Fill(entry, pax, longName, longTarget);
                    return entry;
            }
        }

        throw new InvalidDataException("the archive has extended headers without an entry");
    }

    /// <summary>Content of the current entry, 0 at its end.</summary>
    public int Content(Span<byte> target)
    {
        if (contentLeft == 0 || target.IsEmpty)
        {
            return 0;
        }

        var count = source.Read(target[..(int)Math.Min(target.Length, contentLeft)]);
        if (count == 0)
        {
            throw new EndOfStreamException("the archive ends in the middle of a file");
        }

        contentLeft -= count;
        return count;
    }

    private void Fill(TarEntry entry, PaxValues? pax, string? longName, string? longTarget)
    {
        entry.Type = header[156] switch
        {
            0 or (byte)'7' => TarEntryType.File,
            >= (byte)'0' and <= (byte)'6' and var known => (TarEntryType)known,
            var other => throw new InvalidDataException($"the archive has an entry of type '{(char)other}', which is not supported"),
        };
        var size = pax?.Size ?? Field(TarHeader.Size(header), "size");
        if (size < 0)
        {
            throw new InvalidDataException("the archive has an entry with a negative size");
        }

        var ustar = TarHeader.Magic(header)[..6].SequenceEqual("ustar\0"u8);
        var name = TarHeader.Text(TarHeader.Name(header));
        var prefix = ustar ? TarHeader.Text(TarHeader.Prefix(header)) : "";
        name = pax?.Path ?? longName ?? (prefix.Length > 0 ? $"{prefix}/{name}" : name);
        if (entry.Type == TarEntryType.File && name.EndsWith('/'))
        {
            entry.Type = TarEntryType.Directory; // as tars before ustar said it
        }

        contentLeft = size;
        padding = TarHeader.Padding(size);
        if (entry.Type != TarEntryType.File)
        {
            SkipContent(); // some tars write content behind a hard link; nothing of it is needed
        }

        entry.Name = name.TrimEnd('/');
        entry.Size = entry.Type == TarEntryType.File ? size : 0;
        entry.Mode = (int)(Field(TarHeader.Mode(header), "mode") & 0xFFF);
        entry.Uid = pax?.Uid ?? Id(TarHeader.Uid(header));
        entry.Gid = pax?.Gid ?? Id(TarHeader.Gid(header));
        entry.Target = pax?.LinkPath ?? longTarget ?? TarHeader.Text(TarHeader.Target(header));
        entry.ModifiedUnixNs = pax?.ModifiedUnixNs ?? (Field(TarHeader.Modified(header), "time") is var seconds and > -MaxSeconds and < MaxSeconds ? seconds * 1_000_000_000 : 0);
        entry.Device = ustar ? (Id(TarHeader.Major(header)), Id(TarHeader.Minor(header))) : default;
    }

    private static long Field(ReadOnlySpan<byte> field, string what) =>
        TarHeader.Number(field) ?? throw new InvalidDataException($"the archive has an entry with a malformed {what}");

    private static uint Id(ReadOnlySpan<byte> field) => TarHeader.Number(field) is { } id and >= 0 and < uint.MaxValue ? (uint)id : 0;

    private void SkipContent()
    {
        if (contentLeft > waste.Length && source.CanSeek)
        {
            if (contentLeft > source.Length - source.Position)
            {
                throw new EndOfStreamException("the archive ends in the middle of a file");
            }

            source.Seek(contentLeft, SeekOrigin.Current);
            contentLeft = 0;
        }

        while (contentLeft > 0)
        {
            Content(waste);
        }

        source.ReadExactly(waste, 0, padding);
        padding = 0;
    }

    private byte[] Extended()
    {
        var size = Field(TarHeader.Size(header), "size");
        if (size is < 0 or > MaxExtendedBytes)
        {
            throw new InvalidDataException("the archive has an extended header longer than 1 MiB");
        }

        var bytes = new byte[size];
        source.ReadExactly(bytes);
        source.ReadExactly(waste, 0, TarHeader.Padding(size));
        return bytes;
    }

    /// <summary>The records of an extended header that mean something to us.</summary>
    private sealed class PaxValues
    {
        public string? Path { get; private set; }

        public string? LinkPath { get; private set; }

        public long? Size { get; private set; }

        public uint? Uid { get; private set; }

        public uint? Gid { get; private set; }

        public long? ModifiedUnixNs { get; private set; }

        public static PaxValues Parse(ReadOnlySpan<byte> bytes, TarEntry entry)
        {
            var values = new PaxValues();
            while (!bytes.IsEmpty)
            {
                var blank = bytes.IndexOf((byte)' ');
                if (blank is <= 0 or > 9 || !int.TryParse(bytes[..blank], NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                    || length <= blank + 1 || length > bytes.Length || bytes[length - 1] != (byte)'\n')
                {
                    throw new InvalidDataException("the archive has a malformed extended header");
                }

                var record = bytes[(blank + 1)..(length - 1)];
                var equals = record.IndexOf((byte)'=');
                if (equals > 0)
                {
                    values.Take(Encoding.Latin1.GetString(record[..equals]), record[(equals + 1)..], entry);
                }

                bytes = bytes[length..];
            }

            return values;
        }

        private void Take(string key, ReadOnlySpan<byte> value, TarEntry entry)
        {
            const string attribute = "SCHILY.xattr.";
            switch (key)
            {
                case "path":
                    Path = Encoding.Latin1.GetString(value);
                    break;
                case "linkpath":
                    LinkPath = Encoding.Latin1.GetString(value);
                    break;
                case "size":
                    Size = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : throw new InvalidDataException("the archive has an entry with a malformed size");
                    break;
                case "uid":
                    Uid = uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var uid) && uid != uint.MaxValue ? uid : null;
                    break;
                case "gid":
                    Gid = uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var gid) && gid != uint.MaxValue ? gid : null;
                    break;
                case "mtime":
                    ModifiedUnixNs = decimal.TryParse(value, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var time)
                        && time is > -MaxSeconds and < MaxSeconds ? (long)(time * 1_000_000_000m) : null;
                    break;
                default:
                    if (key.StartsWith("GNU.sparse.", StringComparison.Ordinal))
                    {
                        throw new InvalidDataException("the archive has sparse files in GNU form, which is not supported");
                    }

                    if (key.StartsWith(attribute, StringComparison.Ordinal) && entry.Attributes.Count < 64)
                    {
                        entry.Attributes.Add((key[attribute.Length..], value.ToArray()));
                    }

                    break;
            }
        }
    }
}
