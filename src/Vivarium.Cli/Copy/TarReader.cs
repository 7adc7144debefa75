using System.Globalization;
using System.Text;
using Vivarium.Wire.Errors;

namespace Vivarium.Cli.Copy;

/// <summary>Reads a tar stream: ustar, pax extended headers and GNU long names. The stream is hostile: lengths are bounded, sums checked.</summary>
internal sealed class TarReader(TarSource source)
{
    private const int Block = 512;
    private const int MaxExtendedBytes = 1024 * 1024;
    private readonly byte[] _header = new byte[Block];
    private long _contentLeft;
    private int _padding;

    /// <summary>The next entry, or null at the end of the archive.</summary>
    public TarEntry? Next()
    {
        SkipContent();
        Dictionary<string, string>? pax = null;
        string? longName = null, longTarget = null;
        for (; ; )
        {
            if (!source.ReadExactly(_header, endAllowed: true) || _header.AsSpan().IndexOfAnyExcept((byte)0) < 0)
            {
                return null;
            }

            CheckSum();
            var size = Number(_header.AsSpan(124, 12));
            switch ((char)_header[156])
            {
                case 'x':
                    pax = Records(Extended(size));
                    continue;
                case 'g':
                    _ = Extended(size);
                    continue;
                case 'L':
                    longName = Text(Extended(size));
                    continue;
                case 'K':
                    longTarget = Text(Extended(size));
                    continue;
                default:
                    return Entry(size, pax, longName, longTarget);
            }
        }
    }

    /// <summary>Content of the current entry, 0 at its end.</summary>
    public int Content(Span<byte> target)
    {
        if (_contentLeft == 0)
        {
            return 0;
        }

        var count = source.Read(target[..(int)Math.Min(target.Length, _contentLeft)]);
        if (count == 0)
        {
            throw Cut();
        }

        _contentLeft -= count;
        return count;
    }

    private TarEntry Entry(long size, Dictionary<string, string>? pax, string? longName, string? longTarget)
    {
        var type = _header[156] is 0 or (byte)'7' ? '0' : (char)_header[156];
        var ustar = _header.AsSpan(257, 5).SequenceEqual("ustar"u8);
        var prefix = ustar && _header[262] == 0 ? Text(_header.AsSpan(345, 155)) : "";
        var name = Text(_header.AsSpan(0, 100));
        name = longName ?? (prefix.Length > 0 ? $"{prefix}/{name}" : name);
        name = pax?.GetValueOrDefault("path") ?? name;
        if (type == '0' && name.EndsWith('/'))
        {
            type = '5';
        }

        var seconds = Number(_header.AsSpan(136, 12));
        var modified = seconds is > -9_000_000_000 and < 9_000_000_000 ? seconds * 1_000_000_000 : 0;
        if (pax is not null)
        {
            size = pax.TryGetValue("size", out var text) && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var exact) ? exact : size;
            modified = pax.TryGetValue("mtime", out var time) && decimal.TryParse(time, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var at)
                && Math.Abs(at) < 9_000_000_000m ? (long)(at * 1_000_000_000m) : modified;
        }

        _contentLeft = type == '0' ? size : 0;
        if (size < 0 || (type != '0' && size > MaxExtendedBytes))
        {
            throw Bad("an entry with an impossible size");
        }

        if (type != '0' && size > 0)
        {
            _ = Extended(size); // content where there should be none is passed over
        }

        _padding = type == '0' ? (int)((Block - (size % Block)) % Block) : 0;
        return new TarEntry
        {
            Name = name.TrimEnd('/'),
            Type = type,
            Mode = (int)(Number(_header.AsSpan(100, 8)) & 0xFFF),
            Uid = Id(pax, "uid", _header.AsSpan(108, 8)),
            Gid = Id(pax, "gid", _header.AsSpan(116, 8)),
            Size = _contentLeft,
            ModifiedUnixNs = modified,
            Target = pax?.GetValueOrDefault("linkpath") ?? longTarget ?? Text(_header.AsSpan(157, 100)),
        };
    }

    private static uint Id(Dictionary<string, string>? pax, string key, ReadOnlySpan<byte> field) =>
        pax is not null && pax.TryGetValue(key, out var text) && uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : (uint)Number(field);

    private void SkipContent()
    {
        Span<byte> bin = stackalloc byte[4096];
        while (_contentLeft > 0)
        {
            _ = Content(bin);
        }

        while (_padding > 0)
        {
            var count = source.Read(bin[.._padding]);
            if (count == 0)
            {
                throw Cut();
            }

            _padding -= count;
        }
    }

    private byte[] Extended(long size)
    {
        if (size is < 0 or > MaxExtendedBytes)
        {
            throw Bad("an extended header longer than 1 MiB");
        }

        var bytes = new byte[(size + Block - 1) / Block * Block];
        if (!source.ReadExactly(bytes, endAllowed: false))
        {
            throw Cut();
        }

        return bytes[..(int)size];
    }

    private static Dictionary<string, string> Records(ReadOnlySpan<byte> bytes)
    {
        var records = new Dictionary<string, string>(StringComparer.Ordinal);
        while (!bytes.IsEmpty)
        {
            var blank = bytes.IndexOf((byte)' ');
            if (blank <= 0 || !int.TryParse(Encoding.UTF8.GetString(bytes[..blank]), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                || length <= blank + 1 || length > bytes.Length || bytes[length - 1] != '\n')
            {
                throw Bad("a malformed extended header");
            }

            var record = Encoding.UTF8.GetString(bytes[(blank + 1)..(length - 1)]);
            var equals = record.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                records[record[..equals]] = record[(equals + 1)..];
            }

            bytes = bytes[length..];
        }

        return records;
    }

    private void CheckSum()
    {
        var sum = 0;
        for (var i = 0; i < Block; i++)
        {
            sum += i is >= 148 and < 156 ? ' ' : _header[i];
        }

        if (sum != Number(_header.AsSpan(148, 8)))
        {
            throw Bad("a header with a wrong checksum");
        }
    }

    private static string Text(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }

    /// <summary>Octal digits, or GNU's base 256 when the first bit is set.</summary>
    private static long Number(ReadOnlySpan<byte> field)
    {
        var value = 0L;
        if ((field[0] & 0x80) != 0)
        {
            value = field[0] == 0xFF ? -1 : field[0] & 0x7F;
            foreach (var b in field[1..])
            {
                value = (value << 8) | b;
            }

            return value;
        }

        foreach (var b in field)
        {
            if (b is >= (byte)'0' and <= (byte)'7')
            {
                value = (value << 3) | (uint)(b - '0');
            }
            else if (b is 0 or (byte)' ' && value > 0)
            {
                break;
            }
        }

        return value;
    }

    private static VivariumException Bad(string what) => new(ErrorCode.InvalidArgument, $"the tar stream has {what}", reason: "bad_archive");

    private static VivariumException Cut() => new(ErrorCode.DataLoss, "the tar stream ends in the middle of an entry", reason: "bad_archive");
}
