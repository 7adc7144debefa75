using System.Text;
using Vivarium.Host.Processes;
using Vivarium.Host.Tests.Support;

namespace Vivarium.Host.Tests.Processes;

public sealed class LogFileTests : IDisposable
{
    private readonly TestDirectory directory = new();

    private string Path => directory.File("console.log");

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(0, 100, "abcdef", 6)]
    [InlineData(2, 2, "cd", 4)]
    [InlineData(-2, 100, "ef", 6)]
    [InlineData(-100, 100, "abcdef", 6)]
    [InlineData(6, 100, "", 6)]
    [InlineData(99, 100, "", 6)]
    public void A_log_that_never_rotated(long offset, int limit, string data, long next)
    {
        File.WriteAllBytes(Path, "abcdef"u8);
        Expect(offset, limit, data, next);
    }

    [Theory]
    [InlineData(0, 100, "efghij", 10)] // a to d are lost
    [InlineData(5, 100, "fghij", 10)]
    [InlineData(5, 2, "fg", 7)]
    [InlineData(6, 3, "ghi", 9)]
    [InlineData(8, 100, "ij", 10)]
    [InlineData(-3, 100, "hij", 10)]
    public void A_log_that_rotated_goes_on_counting(long offset, int limit, string data, long next)
    {
        File.WriteAllBytes(Path + ".1", "efgh"u8);
        File.WriteAllBytes(Path + ".base", "8\n"u8);
        File.WriteAllBytes(Path, "ij"u8);
        Expect(offset, limit, data, next);
    }

    [Fact]
    public void A_log_that_is_not_there_yet_is_empty() => Expect(0, 10, "", 0);

    private void Expect(long offset, int limit, string data, long next)
    {
        var (bytes, go, _) = LogFile.Read(Path, offset, limit);
        Assert.Equal((data, next), (Encoding.ASCII.GetString(bytes), go));
    }
}
