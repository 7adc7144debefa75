using Vivarium.Guest.Tests.Harness;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Tests;

/// <summary>Many commands: at once, and one after another without growing.</summary>
public sealed class EnduranceTests
{
    [Fact]
    public async Task Three_hundred_commands_at_once()
    {
        await using var guest = await GuestInstance.StartDirectAsync();
        var all = await Task.WhenAll(Enumerable.Range(0, 300).Select(async i =>
        {
            var exec = await ExecConnection.RunAsync(guest, new ExecRequest { Argv = ["sh", "-c", $"echo {i}; exit {i % 200}"] }, TimeSpan.FromSeconds(60));
            return exec.Stdout == $"{i}\n" && exec.Exit!.Code == i % 200;
        }));
        Assert.All(all, Assert.True);
    }

    [Fact]
    public async Task Ten_thousand_commands_leave_nothing_behind()
    {
        await using var guest = await GuestInstance.StartDirectAsync();
        await RunManyAsync(guest, 2_000);
        var before = Measure(guest.Pid);
        await RunManyAsync(guest, 8_000);
        var after = Measure(guest.Pid);
        Assert.True(after.Descriptors <= before.Descriptors + 2, $"descriptors: {before.Descriptors} before, {after.Descriptors} after");
        Assert.True(after.Threads <= before.Threads + 4, $"threads: {before.Threads} before, {after.Threads} after");
        Assert.True(after.ResidentBytes <= before.ResidentBytes + (8 * 1024 * 1024), $"resident: {before.ResidentBytes} before, {after.ResidentBytes} after");
    }

    private static async Task RunManyAsync(GuestInstance guest, int count)
    {
        var left = count;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var exec = await ExecConnection.RunAsync(guest, new ExecRequest { Argv = ["/bin/true"] });
                Assert.Equal(0, exec.Exit!.Code);
            }
        }));
    }

    private static (int Descriptors, int Threads, long ResidentBytes) Measure(int pid)
    {
        var resident = long.Parse(File.ReadAllText($"/proc/{pid}/statm").Split(' ')[1]) * Environment.SystemPageSize;
        return (Directory.GetFileSystemEntries($"/proc/{pid}/fd").Length, Directory.GetDirectories($"/proc/{pid}/task").Length, resident);
    }
}
