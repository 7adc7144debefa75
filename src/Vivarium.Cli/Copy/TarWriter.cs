using System.Globalization;
using System.Text;

namespace Vivarium.Cli.Copy;

/// <summary>Writes a tar stream in POSIX pax format (IEEE Std 1003.1, pax): extended headers only for what the old header cannot hold.</summary>
internal sealed class TarWriter(Action<ReadOnlySpan<byte>> sink)
{
    private const int Block = 512;
    private const long OctalSizeLimit = 1L << 33;
    private readonly byte[] _header = new byte[Block];
    private long _contentLeft;
    private int _padding;

    public void Add(TarEntry entry)
    {
        FinishContent();
        var name = Encoding.UTF8.GetBytes(entry.Type == '5' ? entry.Name + "/" : entry.Name);
        var target = Encoding.UTF8.GetBytes(entry.Target);
        var pax = new StringBuilder();
        if (name.Length > 100)
        {
            Record(pax, "path", entry.Type == '5' ? entry.Name + "/" : entry.Name);
        }

        if (target.Length > 100)
        {
            Record(pax, "linkpath", entry.Target);
        }

        if (entry.Size >= OctalSizeLimit)
        {
            Record(pax, "size", entry.Size.ToString(CultureInfo.InvariantCulture));
        }

        var (seconds, nanoseconds) = Math.DivRem(entry.ModifiedUnixNs, 1_000_000_000);
        if (nanoseconds != 0 || seconds < 0 || seconds >= OctalSizeLimit)
        {
            Record(pax, "mtime", nanoseconds == 0
                ? seconds.ToString(CultureInfo.InvariantCulture)
                : (entry.ModifiedUnixNs / 1_000_000_000m).ToString("0.#########", CultureInfo.InvariantCulture));
        }

        if (entry.Uid > 0x1FFFFF || entry.Gid > 0x1FFFFF)
        {
            Record(pax, "uid", entry.Uid.ToString(CultureInfo.InvariantCulture));
            Record(pax, "gid", entry.Gid.ToString(CultureInfo.InvariantCulture));
        }

        if (pax.Length > 0)
        {
            var records = Encoding.UTF8.GetBytes(pax.ToString());
            Header("././@PaxHeader"u8, [], 'x', 0x1A4, 0, 0, records.Length, 0);
            sink(records);
            Pad(records.Length);
        }

        Header(name, target, entry.Type, entry.Mode, entry.Uid, entry.Gid, entry.Size, Math.Clamp(seconds, 0, OctalSizeLimit - 1));
        _contentLeft = entry.Size;
        _padding = (int)((Block - (entry.Size % Block)) % Block);
    }

    /// <summary>Content of the entry added last, no more than its size.</summary>
    public void Content(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..(int)Math.Min(bytes.Length, _contentLeft)];
        _contentLeft -= bytes.Length;
        sink(bytes);
    }

    /// <summary>Ends the archive.</summary>
    public void Finish()
    {
        FinishContent();
        Array.Clear(_header);
        sink(_header);
        sink(_header);
    }

    /// <summary>A file that shrank while it was read is filled up with zeros, as tar does, so that the archive stays whole.</summary>
    private void FinishContent()
    {
        if (_contentLeft > 0)
        {
            var zeros = new byte[64 * 1024];
            while (_contentLeft > 0)
            {
                Content(zeros);
            }
        }

        if (_padding > 0)
        {
            Array.Clear(_header);
            sink(_header.AsSpan(0, _padding));
            _padding = 0;
        }
    }

    private void Pad(int length)
    {
        Array.Clear(_header);
        sink(_header.AsSpan(0, (Block - (length % Block)) % Block));
    }

    private void Header(ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, char type, int mode, uint uid, uint gid, long size, long seconds)
    {
        var header = _header.AsSpan();
        header.Clear();
        name[..Math.Min(name.Length, 100)].CopyTo(header);
        Octal(header.Slice(100, 8), mode);
        Octal(header.Slice(108, 8), Math.Min(uid, 0x1FFFFF));
        Octal(header.Slice(116, 8), Math.Min(gid, 0x1FFFFF));
        Octal(header.Slice(124, 12), Math.Min(size, OctalSizeLimit - 1));
        Octal(header.Slice(136, 12), seconds);
        header.Slice(148, 8).Fill((byte)' ');
        header[156] = (byte)type;
        target[..Math.Min(target.Length, 100)].CopyTo(header[157..]);
        "ustar\0"u8.CopyTo(header[257..]);
        "00"u8.CopyTo(header[263..]);
        var sum = 0;
        foreach (var b in header)
        {
            sum += b;
        }

        Octal(header.Slice(148, 7), sum);
        sink(header);
    }

    private static void Octal(Span<byte> field, long value)
    {
        for (var i = field.Length - 2; i >= 0; i--)
        {
            field[i] = (byte)('0' + (value & 7));
            value >>= 3;
        }

        field[^1] = 0;
    }

    /// <summary><c>LENGTH KEY=VALUE\n</c>, where the length counts itself.</summary>
    private static void Record(StringBuilder pax, string key, string value)
    {
        var rest = Encoding.UTF8.GetByteCount(value) + key.Length + 3;
        var length = rest + 1;
        while (length != rest + length.ToString(CultureInfo.InvariantCulture).Length)
        {
            length = rest + length.ToString(CultureInfo.InvariantCulture).Length;
        }

        pax.Append(length.ToString(CultureInfo.InvariantCulture)).Append(' ').Append(key).Append('=').Append(value).Append('\n');
    }
}
