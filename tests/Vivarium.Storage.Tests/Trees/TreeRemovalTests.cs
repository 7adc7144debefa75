using Vivarium.Linux;
using Vivarium.Linux.Trees;

namespace Vivarium.Storage.Tests.Trees;

public sealed class TreeRemovalTests
{
    [Fact]
    public async Task Never_enters_a_mount()
    {
        var root = Directory.CreateTempSubdirectory("viv-tree-").FullName;
        Directory.CreateDirectory(root + "/tree/mounted");
        await Shell.RunAsync($"mount -t tmpfs viv-test {root}/tree/mounted && touch {root}/tree/mounted/precious");
        try
        {
            var error = Assert.Throws<LinuxException>(() => TreeRemoval.Remove(root + "/tree", CancellationToken.None));
            Assert.Equal(Errno.EXDEV, error.Errno);
            Assert.True(File.Exists(root + "/tree/mounted/precious"));
        }
        finally
        {
            await Shell.RunAsync($"umount {root}/tree/mounted");
        }

        Assert.True(TreeRemoval.Remove(root + "/tree", CancellationToken.None));
        Assert.False(TreeRemoval.Remove(root + "/tree", CancellationToken.None));
        Directory.Delete(root);
    }

    [Fact]
    public void Never_follows_a_link_out()
    {
        var root = Directory.CreateTempSubdirectory("viv-tree-").FullName;
        Directory.CreateDirectory(root + "/outside");
        File.Create(root + "/outside/precious").Dispose();
        Directory.CreateDirectory(root + "/tree");
        Directory.CreateSymbolicLink(root + "/tree/link", root + "/outside");
        Assert.True(TreeRemoval.Remove(root + "/tree", CancellationToken.None));
        Assert.True(File.Exists(root + "/outside/precious"));
        Directory.Delete(root, true);
    }
}
