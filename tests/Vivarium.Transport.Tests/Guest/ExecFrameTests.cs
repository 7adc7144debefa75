using System.Buffers.Binary;
using Vivarium.Transport.Guest;
using Vivarium.Transport.Tests.Support;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Guest;

namespace Vivarium.Transport.Tests.Guest;

public sealed class ExecFrameTests
{
    [Fact]
    public async Task A_frame_is_channel_length_bytes()
    {
        using var stream = new MemoryStream();
        using var writer = new ExecFrameWriter(stream);
        await writer.WriteAsync(ExecChannel.Stdout, "hello"u8.ToArray(), Limits.Token);
        await writer.WriteAsync(ExecChannel.Stdin, default, Limits.Token);
        await writer.WriteControlAsync(new ExecControl { Type = "resize", Cols = 80, Rows = 24 }, Limits.Token);
        var control = """{"type":"resize","cols":80,"rows":24}"""u8.ToArray();
        Assert.Equal([1, 0, 0, 0, 5, .. "hello"u8, 0, 0, 0, 0, 0, 4, 0, 0, 0, (byte)control.Length, .. control], stream.ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task Frames_come_out_as_they_went_in_whatever_pieces_the_stream_is_cut_into(int most)
    {
        var random = new Random(most);
        var expected = new List<byte[]> { Array.Empty<byte>(), Array.Empty<byte>(), Array.Empty<byte>(), Array.Empty<byte>() };
        var controls = new List<string>();
        using var stream = new MemoryStream();
        using var writer = new ExecFrameWriter(stream);
        for (var i = 0; i < 200; i++)
        {
            var channel = (byte)random.Next(1, 5);
            if (channel == ExecChannel.Control)
            {
                var text = new string('x', random.Next(1, i == 100 ? 200_000 : 100));
                controls.Add(text);
                await writer.WriteControlAsync(new ExecControl { Type = text }, Limits.Token);
                continue;
            }

            var bytes = new byte[random.Next(1, i == 50 ? 1_500_000 : 5000)];
            random.NextBytes(bytes);
            expected[channel] = [.. expected[channel], .. bytes];
            await writer.WriteAsync(channel, bytes, Limits.Token);
        }

        var got = new List<MemoryStream> { new(), new(), new(), new() };
        var gotControls = new List<string>();
        using var reader = new ExecFrameReader(new CutStream(stream.ToArray(), most, random));
        while (await reader.ReadAsync(Limits.Token) is { } frame)
        {
            if (frame.Channel == ExecChannel.Control)
                gotControls.Add(ExecClient.ReadControl(frame.Payload.Span).Type);
            else
                await got[frame.Channel].WriteAsync(frame.Payload, Limits.Token);
        }

        Assert.Equal(controls, gotControls);
        for (var channel = 1; channel <= 3; channel++)
            Assert.True(expected[channel].AsSpan().SequenceEqual(got[channel].ToArray()));
    }

    [Theory]
    [InlineData("0900000001ff", ErrorCode.InvalidArgument)]
    [InlineData("0100100001", ErrorCode.InvalidArgument)]
    [InlineData("01ffffffff", ErrorCode.InvalidArgument)]
    [InlineData("04ffffffff", ErrorCode.InvalidArgument)]
    [InlineData("0100000005aa", ErrorCode.Unavailable)]
    [InlineData("0400000005aa", ErrorCode.Unavailable)]
    [InlineData("010000", ErrorCode.Unavailable)]
    public async Task Malformed_and_broken_frames_are_refused(string hex, ErrorCode code)
    {
        using var reader = new ExecFrameReader(new MemoryStream(Convert.FromHexString(hex)));
        var error = await Assert.ThrowsAsync<VivariumException>(async () =>
        {
            while (await reader.ReadAsync(Limits.Token) is not null)
            {
            }
        });
        Assert.Equal(code, error.Code);
    }

    [Fact]
    public async Task Random_bytes_end_in_an_error_or_the_end()
    {
        for (var seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            var bytes = new byte[random.Next(0, 400)];
            random.NextBytes(bytes);
            for (var at = 0; at + 5 < bytes.Length; at += random.Next(5, 60))
            {
                bytes[at] = (byte)random.Next(0, 6);
                BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at + 1), (uint)random.Next(0, 70));
            }

            using var reader = new ExecFrameReader(new CutStream(bytes, 50, random));
            var total = 0;
            try
            {
                while (await reader.ReadAsync(Limits.Token) is { } frame)
                    total += frame.Payload.Length;
            }
            catch (VivariumException)
            {
                // Refused, as it should be.
            }

            Assert.True(total <= bytes.Length);
        }
    }
}
