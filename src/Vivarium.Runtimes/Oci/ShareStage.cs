using Microsoft.Win32.SafeHandles;
using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Linux.Mounts;
using Vivarium.Wire.Errors;
using Vivarium.Wire.Supervisor;

namespace Vivarium.Runtimes.Oci;

/// <summary>
/// The shares of a sandbox, taken on the host before the engine starts and laid out below one directory, from where the engine binds them. What is read-only
/// is so here already, with everything mounted below it: the sandbox gets a mount that cannot be written, not a promise of the engine.
/// </summary>
internal sealed class ShareStage : IDisposable
{
    private readonly List<(SafeFileHandle Tree, bool Folder)> trees;

    private ShareStage(List<(SafeFileHandle Tree, bool Folder)> trees) => this.trees = trees;

    /// <summary>Where the engine finds share number <paramref name="index"/>.</summary>
    public static string PathOf(string stage, int index) => $"{stage}/share-{index}";

    /// <summary>Takes all of them.</summary>
    /// <param name="shares">Host paths without links, as the daemon resolved them.</param>
    /// <param name="user">User namespace the owners are mapped by; null without one.</param>
    /// <exception cref="VivariumException">failed_precondition: one is not there any more, or its path leads elsewhere now.</exception>
    public static ShareStage Take(IReadOnlyList<ShareSpec> shares, SafeFileHandle? user)
    {
        var trees = new List<(SafeFileHandle Tree, bool Folder)>();
        try
        {
            foreach (var share in shares)
            {
                trees.Add(TakeOne(share, user));
            }

            return new ShareStage(trees);
        }
        catch
        {
            trees.ForEach(static one => one.Tree.Dispose());
            throw;
        }
    }

    /// <summary>Attaches them below the stage, in the mount namespace of the calling thread.</summary>
    public void Attach(string stage)
    {
        for (var i = 0; i < trees.Count; i++)
        {
            var target = PathOf(stage, i);
            if (trees[i].Folder)
            {
                Directory.CreateDirectory(target);
            }
            else
            {
                File.Create(target).Dispose();
            }

            ShareMount.Attach(trees[i].Tree, target);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (tree, _) in trees)
        {
            tree.Dispose();
        }
    }

    private static (SafeFileHandle Tree, bool Folder) TakeOne(ShareSpec share, SafeFileHandle? user)
    {
        try
        {
            var tree = TakeTree(share, user);
            return (tree, FileStatus.Of(tree).Kind == FileKind.Directory);
        }
        catch (LinuxException e)
        {
            var why = e.Errno switch
            {
                Errno.ENOENT or Errno.ENOTDIR => "is not there any more",
                Errno.ELOOP => "leads through a symbolic link now, which it did not when the sandbox was made",
                _ => $"cannot be shared: {e.Message}",
            };
            throw new VivariumException(ErrorCode.FailedPrecondition, $"the shared host path {share.HostPath} {why}", "Put it back, or make a new sandbox without it.", "share_missing", e);
        }
    }

    private static SafeFileHandle TakeTree(ShareSpec share, SafeFileHandle? user)
    {
        try
        {
            return ShareMount.Take(share.HostPath, share.ReadOnly, user);
        }
        catch (LinuxException e) when (user is not null && e.Errno is Errno.EINVAL or Errno.EPERM)
        {
            // A mount below it is of a kind whose owners cannot be mapped: it stays out, rather than showing owners that are wrong.
            return ShareMount.Take(share.HostPath, share.ReadOnly, user, recursive: false);
        }
    }
}
