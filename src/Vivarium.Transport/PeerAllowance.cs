namespace Vivarium.Transport;

/// <summary>
/// How many connections of a socket may be open, in all and of one user, and how fast one user may open them. So that no client, leaking or hostile, can take
/// the descriptors or the time that others need.
/// </summary>
/// <param name="most">Open at a time, in all.</param>
/// <param name="mostOfOne">Open at a time, of one user.</param>
/// <param name="perSecond">New ones of one user a second, on average; twice as many may come at once.</param>
/// <param name="clock">Time.</param>
public sealed class PeerAllowance(int most, int mostOfOne, int perSecond, TimeProvider clock)
{
    /// <summary>Users remembered; only more than this many at once cost a search for idle ones.</summary>
    private const int ManyUsers = 256;

    private readonly Lock _gate = new();
    private readonly Dictionary<uint, User> _users = [];
    private int _open;

    /// <summary>Open now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Takes a place for a connection of the user, to be given back with <see cref="Leave"/>; else says why there is none.</summary>
    public PeerVerdict Enter(uint uid)
    {
        var now = clock.GetTimestamp();
        lock (_gate)
        {
            if (!_users.TryGetValue(uid, out var user))
            {
                if (_users.Count >= ManyUsers)
                    ForgetIdle();
                _users.Add(uid, user = new User { Tokens = 2.0 * perSecond, At = now });
            }

            user.Tokens = Math.Min(2.0 * perSecond, user.Tokens + (clock.GetElapsedTime(user.At, now).TotalSeconds * perSecond));
            user.At = now;
            if (_open >= most)
                return PeerVerdict.Full;
            if (user.Open >= mostOfOne)
                return PeerVerdict.UserFull;
            if (user.Tokens < 1)
                return PeerVerdict.TooFast;
            user.Tokens--;
            user.Open++;
            _open++;
            return PeerVerdict.Welcome;
        }
    }

    /// <summary>Gives a place back.</summary>
    public void Leave(uint uid)
    {
        lock (_gate)
        {
            _users[uid].Open--;
            _open--;
        }
    }

    private void ForgetIdle()
    {
        foreach (var uid in _users.Where(static user => user.Value.Open == 0).Select(static user => user.Key).ToArray())
            _users.Remove(uid);
    }

    private sealed class User
    {
        public int Open { get; set; }

        public double Tokens { get; set; }

        public long At { get; set; }
    }
}

/// <summary>Whether a connection is served.</summary>
public enum PeerVerdict
{
    /// <summary>It is.</summary>
    Welcome,

    /// <summary>Too many are open.</summary>
    Full,

    /// <summary>Too many of this user are open.</summary>
    UserFull,

    /// <summary>This user opens them too fast.</summary>
    TooFast,
}
