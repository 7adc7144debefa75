using Vivarium.Linux;
using Vivarium.Linux.Files;
using Vivarium.Linux.IO;
using Vivarium.Wire.Guest;

namespace Vivarium.Guest.Files;

/// <summary>
/// Reports changes below a directory until the caller goes away. The kernel watches single directories, so every directory gets a watch, new ones as they
/// appear; what was put into a new one before its watch stood is found by looking, and reported as created. A rename is reported as <c>rename</c> of the old
/// name and <c>create</c> of the new one.
/// </summary>
internal sealed class TreeWatch(FilesConnection connection, string root, bool recursive)
{
    private const InotifyMask Wanted = InotifyMask.Create | InotifyMask.Modify | InotifyMask.Attributes | InotifyMask.Delete | InotifyMask.MovedFrom
        | InotifyMask.MovedTo | InotifyMask.ExcludeUnlinked;

    private readonly Dictionary<int, string> _paths = [];
    private readonly List<FileEvent> _events = [];

    /// <summary>Runs on a thread of the acting user, so that it sees what that user may see.</summary>
    public bool Run()
    {
        using var inotify = Inotify.Create();
        if (FileStatus.Of(root).Kind == FileKind.Directory)
        {
            Watch(inotify, "", report: false);
        }
        else
        {
            _paths[inotify.Add(root, Wanted | InotifyMask.DeleteSelf | InotifyMask.MoveSelf)] = "";
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(connection.CancellationToken);
        connection.ReplyAsync(new FileReply()).AsTask().GetAwaiter().GetResult();
        _ = connection.UntilEndAsync().ContinueWith(_ => Cancel(end), TaskScheduler.Default);
        try
        {
            while (_paths.Count > 0)
            {
                foreach (var happened in inotify.ReadAsync(end.Token).AsTask().GetAwaiter().GetResult())
                {
                    Take(inotify, happened);
                }

                SendAsync().GetAwaiter().GetResult();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The caller has gone.
        }

        return true;
    }

    private static void Cancel(CancellationTokenSource end)
    {
        try
        {
            end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The watch has ended by itself.
        }
    }

    private void Take(Inotify inotify, InotifyEvent happened)
    {
        if (happened.Mask.HasFlag(InotifyMask.Overflow))
        {
            Report("overflow", "", dir: false);
            Watch(inotify, "", report: false); // directories made meanwhile
            return;
        }

        if (!_paths.TryGetValue(happened.Watch, out var directory))
        {
            return;
        }

        if (happened.Mask.HasFlag(InotifyMask.Ignored))
        {
            _paths.Remove(happened.Watch);
            return;
        }

        var path = directory.Length == 0 ? happened.Name : happened.Name.Length == 0 ? directory : $"{directory}/{happened.Name}";
        var dir = happened.Mask.HasFlag(InotifyMask.IsDirectory);
        if ((happened.Mask & (InotifyMask.Create | InotifyMask.MovedTo)) != 0)
        {
            Report("create", path, dir);
            if (dir && recursive)
            {
                Watch(inotify, path, report: true);
            }
        }
        else if ((happened.Mask & (InotifyMask.MovedFrom | InotifyMask.MoveSelf)) != 0)
        {
            Report("rename", path, dir);
            if (dir)
            {
                Forget(inotify, path);
            }
        }
        else if ((happened.Mask & (InotifyMask.Delete | InotifyMask.DeleteSelf)) != 0)
        {
            Report("remove", path, dir);
        }
        else if (happened.Mask.HasFlag(InotifyMask.Modify))
        {
            Report("write", path, dir);
        }
        else if (happened.Mask.HasFlag(InotifyMask.Attributes) && happened.Name.Length > 0)
        {
            Report("chmod", path, dir);
        }
    }

    private void Watch(Inotify inotify, string path, bool report)
    {
        var absolute = path.Length == 0 ? root : GuestPath.Join(root, path);
        try
        {
            var flags = Wanted | InotifyMask.OnlyDirectory | (path.Length == 0 ? InotifyMask.DeleteSelf : InotifyMask.DontFollow);
            _paths[inotify.Add(absolute, flags)] = path;
        }
        catch (LinuxException e) when (path.Length > 0 && e.Errno is Errno.ENOENT or Errno.ENOTDIR or Errno.EACCES)
        {
            return; // gone again, or not for this user
        }
        catch (LinuxException e) when (path.Length > 0 && e.Errno == Errno.ENOSPC)
        {
            Report("overflow", path, dir: true); // more directories than the system lets us watch
            return;
        }

        if (!recursive && path.Length == 0 && !report)
        {
            return;
        }

        foreach (var entry in Entries(absolute))
        {
            var below = path.Length == 0 ? entry.Name : $"{path}/{entry.Name}";
            if (report)
            {
                Report("create", below, entry.IsDirectory);
            }

            if (entry.IsDirectory && recursive && !PseudoFileSystems.IsOne(GuestPath.Join(absolute, entry.Name)))
            {
                Watch(inotify, below, report);
            }
        }
    }

    private static IEnumerable<(string Name, bool IsDirectory)> Entries(string directory)
    {
        string[] paths;
        try
        {
            paths = Directory.GetFileSystemEntries(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            yield break;
        }

        foreach (var path in paths)
        {
            if (FileStatus.TryGet(path, follow: false, out var status) == 0)
            {
                yield return (GuestPath.Split(path).Name, status.Kind == FileKind.Directory);
            }
        }
    }

    private void Forget(Inotify inotify, string path)
    {
        foreach (var (watch, _) in _paths.Where(p => p.Value == path || p.Value.StartsWith(path + "/", StringComparison.Ordinal)).ToList())
        {
            inotify.Remove(watch);
            _paths.Remove(watch);
        }
    }

    /// <summary>A second event of the same kind about the same thing, right after the first, says nothing new.</summary>
    private void Report(string type, string path, bool dir)
    {
        var happened = new FileEvent { Type = type, Path = path, Dir = dir };
        var already = type is "create" or "write" or "chmod" && (_events.Count > 0 && _events[^1] == happened || (type == "create" && _events.Contains(happened)));
        if (!already)
        {
            _events.Add(happened);
        }
    }

    private async Task SendAsync()
    {
        foreach (var happened in _events)
        {
            await connection.SendAsync(happened, GuestJson.Default.FileEvent);
        }

        _events.Clear();
    }
}
