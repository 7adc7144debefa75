using Vivarium.Linux.Users;
using Vivarium.TestKit;

namespace Vivarium.Linux.Tests.Users;

public sealed class UserDatabaseTests
{
    private const string Passwd = "root:x:0:0:root:/root:/bin/bash\n# comment\nbroken:x:y:0::/:/bin/sh\ndev:x:1000:1001:,,,:/home/dev:/bin/zsh\nbare:x:7:8::\nnoshell:x:9:9::/home/n:\n";
    private const string Group = "root:x:0:\ndocker:x:50:dev,other\ndev:x:1001:dev\nwheel:x:10:dev\n";
    private readonly UserDatabase users = UserDatabase.Parse(Passwd, Group);

    [Theory]
    [InlineData("dev", 1000, 1001, "/home/dev", "/bin/zsh", "50,10")]
    [InlineData("1000", 1000, 1001, "/home/dev", "/bin/zsh", "50,10")]
    [InlineData("dev:docker", 1000, 50, "/home/dev", "/bin/zsh", "1001,10")]
    [InlineData("dev:77", 1000, 77, "/home/dev", "/bin/zsh", "50,1001,10")]
    [InlineData("4242", 4242, 0, "/", "/bin/sh", "")]
    [InlineData("4242:50", 4242, 50, "/", "/bin/sh", "")]
    [InlineData("noshell", 9, 9, "/home/n", "/bin/sh", "")]
    public void A_specification_becomes_an_identity(string specification, uint uid, uint gid, string home, string shell, string groups)
    {
        var user = users.Resolve(specification);
        Assert.NotNull(user);
        Assert.Equal((uid, gid, home, shell, groups), (user.Uid, user.Gid, user.Home, user.Shell, string.Join(',', user.Groups)));
    }

    [Theory]
    [InlineData("nobody-here")]
    [InlineData("dev:nogroup-here")]
    [InlineData("broken")]
    [InlineData("bare")]
    [InlineData("")]
    [InlineData(":")]
    [InlineData("-1")]
    [InlineData("4294967295")]
    public void Unknown_names_and_nonsense_are_nobody(string specification) => Assert.Null(users.Resolve(specification));

    [Fact]
    public void Missing_files_are_empty()
    {
        using var temp = new TempDir();
        Assert.Empty(UserDatabase.Load(temp.Path).Users);
        Assert.Equal("/root", UserDatabase.Load().FindUser("root")?.Home);
    }

    [Fact]
    public void Damaged_files_do_no_harm() =>
        Fuzz.Text([Passwd, Group], t => UserDatabase.Parse(t, t).Resolve("dev:dev"), static _ => false);
}
