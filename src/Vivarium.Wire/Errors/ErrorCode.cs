namespace Vivarium.Wire.Errors;

/// <summary>
/// The closed list of error kinds. Every failure a user can see carries exactly one; <see cref="ErrorCodes"/> maps each to
/// its text form, JSON-RPC code and HTTP status. A finer, equally stable word may stand beside it as the <c>reason</c>.
/// </summary>
public enum ErrorCode
{
    /// <summary>A defect of ours; the operation id finds it in the log.</summary>
    Internal,

    /// <summary>The request itself is wrong: bad name, wrong type, path escape, unknown flag or key.</summary>
    InvalidArgument,

    /// <summary>The thing named does not exist.</summary>
    NotFound,

    /// <summary>The name or id is taken.</summary>
    AlreadyExists,

    /// <summary>The thing exists but is in the wrong state for this.</summary>
    FailedPrecondition,

    /// <summary>A limit is reached: sandboxes, pool space, memory, message size.</summary>
    ResourceExhausted,

    /// <summary>The caller is known but may not do this.</summary>
    PermissionDenied,

    /// <summary>The caller did not say who it is, or its ticket or token is wrong or used up.</summary>
    Unauthenticated,

    /// <summary>The other side (daemon, supervisor, guest) cannot be reached now; trying again may help.</summary>
    Unavailable,

    /// <summary>It took longer than allowed.</summary>
    DeadlineExceeded,

    /// <summary>The caller gave up.</summary>
    Canceled,

    /// <summary>This runtime, engine or store cannot do that, or it is not built yet.</summary>
    Unimplemented,

    /// <summary>Stored data is damaged; what it belongs to is set aside.</summary>
    DataLoss,
}
