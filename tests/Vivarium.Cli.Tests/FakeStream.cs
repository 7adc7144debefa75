using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Vivarium.Cli.Tests;

/// <summary>The far end of a connection, blocking.</summary>
internal sealed class FakeStream(Socket socket)
{
    public string? ReadLine()
    {
        var bytes = new List<byte>();
        var one = new byte[1];
        while (socket.Receive(one) == 1)
        {
            if (one[0] == '\n')
            {
                return Encoding.UTF8.GetString([.. bytes]);
            }

            bytes.Add(one[0]);
        }

        return null;
    }

    public void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[socket.Send(bytes)..];
        }
    }

    public void Frame(byte channel, string text) => Frame(channel, Encoding.UTF8.GetBytes(text));

    public void Frame(byte channel, ReadOnlySpan<byte> payload)
    {
        var header = new byte[5];
        header[0] = channel;
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), payload.Length);
        Write(header);
        Write(payload);
    }

    public (byte Channel, string Text)? ReadFrame()
    {
        if (ReadExactly(5) is not { } header)
        {
            return null;
        }

        return (header[0], Encoding.UTF8.GetString(ReadExactly(BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(1)))!));
    }

    /// <summary>All chunks of content up to the empty one.</summary>
    public byte[] ReadChunks()
    {
        var content = new MemoryStream();
        while (BinaryPrimitives.ReadInt32BigEndian(ReadExactly(4)) is var length and > 0)
        {
            content.Write(ReadExactly(length));
        }

        return content.ToArray();
    }

    public void WriteChunk(ReadOnlySpan<byte> bytes)
    {
        var prefix = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(prefix, bytes.Length);
        Write(prefix);
        Write(bytes);
    }

    private byte[]? ReadExactly(int count)
    {
        var bytes = new byte[count];
        for (var filled = 0; filled < count;)
        {
            var read = socket.Receive(bytes.AsSpan(filled));
            if (read == 0)
            {
                return null;
            }

            filled += read;
        }

        return bytes;
    }
}
