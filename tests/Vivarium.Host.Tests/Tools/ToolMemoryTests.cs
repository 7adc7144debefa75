using System.Globalization;
using Vivarium.Host.Naming;
using Vivarium.Host.Tools;
using Vivarium.TestKit;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Host;

namespace Vivarium.Host.Tests.Tools;

public sealed class ToolMemoryTests
{
    private static readonly SandboxId Box = SandboxId.New();

    private readonly FakeTimeProvider time = new();

    [Fact]
    public async Task What_failed_is_forgotten_and_what_ended_is_known()
    {
        var memory = new ToolMemory(time);
        var (first, isNew) = memory.Begin(Box, 0, Call("a"));
        Assert.True(isNew);
        Assert.Equal((first, false), memory.Begin(Box, 0, Call("a")));
        memory.Fail(first, new VivariumException(ErrorCode.Canceled, "given up"));
        await Assert.ThrowsAsync<VivariumException>(() => first.Answer.Task);
        var (second, again) = memory.Begin(Box, 0, Call("a"));
        Assert.True(again);
        memory.End(second, Reply("x"), keep: false);
        Assert.Equal("x", (await second.Answer.Task).Content);
        var (third, anew) = memory.Begin(Box, 0, Call("a"));
        Assert.True(anew);
        memory.End(third, Reply("y"), keep: true);
        Assert.Equal((third, false), memory.Begin(Box, 0, Call("a")));

        // Another generation, another sandbox: another call.
        Assert.True(memory.Begin(Box, 1, Call("a")).IsNew);
        Assert.True(memory.Begin(SandboxId.New(), 0, Call("a")).IsNew);
        Assert.Equal("call_id_reused", Assert.Throws<VivariumException>(() => memory.Begin(Box, 0, Call("a", """{"command": "other"}"""))).Reason);
        Assert.False(memory.Begin(Box, 0, Call("a", """{ "command" : "x" }""")).IsNew);
    }

    [Fact]
    public void It_is_bounded_in_number_size_and_age()
    {
        var memory = new ToolMemory(time);
        for (var i = 0; i < ToolMemory.MostAnswers + 10; i++)
        {
            memory.End(memory.Begin(Box, 0, Call(i.ToString(CultureInfo.InvariantCulture))).Flight, Reply("x"), keep: true);
            Assert.False(memory.Begin(Box, 0, Call("0")).IsNew); // what is used stays
        }

        Assert.Equal(ToolMemory.MostAnswers, memory.Count);
        Assert.True(memory.Begin(Box, 0, Call("1")).IsNew);

        var large = new string('x', (int)(ToolMemory.MostCharacters / 4));
        for (var i = 0; i < 6; i++)
        {
            memory.End(memory.Begin(Box, 1, Call(i.ToString(CultureInfo.InvariantCulture))).Flight, Reply(large), keep: true);
        }

        Assert.Equal(4, memory.Count);
        time.Advance(ToolMemory.Longest + TimeSpan.FromSeconds(1));
        Assert.True(memory.Begin(Box, 1, Call("5")).IsNew);
        Assert.Equal(0, memory.Count);
    }

    private static ToolParams Call(string id, string arguments = """{"command": "x"}""") => ToolCallsHere.Call("box", "bash", arguments, id);

    private static ToolReply Reply(string content) => new() { Content = content, DurationMs = 1 };
}
