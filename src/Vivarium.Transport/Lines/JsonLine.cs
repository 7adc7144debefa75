using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Vivarium.Transport.Lines;

/// <summary>JSON values, each with a newline, in a pooled buffer, ready to be written in one piece.</summary>
internal sealed class JsonLine : IBufferWriter<byte>, IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(1024);
    private int _length;

    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, _length);

    public int Length => _length;

    public static JsonLine Of<T>(T value, JsonTypeInfo<T> type)
    {
        var line = new JsonLine();
        line.Add(value, type);
        return line;
    }

    /// <summary>Adds another value and its newline.</summary>
    public void Add<T>(T value, JsonTypeInfo<T> type)
    {
        using (var writer = new Utf8JsonWriter(this))
            JsonSerializer.Serialize(writer, value, type);
        End();
    }

    /// <summary>Adds the newline.</summary>
    public JsonLine End()
    {
        GetSpan(1)[0] = (byte)'\n';
        Advance(1);
        return this;
    }

    public void Advance(int count) => _length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsSpan(_length);
    }

    public void Dispose()
    {
        var buffer = _buffer;
        _buffer = [];
        if (buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(buffer);
    }

    private void Reserve(int sizeHint)
    {
        if (_buffer.Length - _length >= Math.Max(sizeHint, 1))
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, _length + sizeHint));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
