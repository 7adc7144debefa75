namespace Vivarium.Configuration.Toml;

/// <summary>The value types of TOML 1.0.</summary>
public enum TomlKind
{
    /// <summary>A string (<see cref="string"/>).</summary>
    String,

    /// <summary>A 64-bit integer (<see cref="long"/>).</summary>
    Integer,

    /// <summary>A binary64 number (<see cref="double"/>).</summary>
    Float,

    /// <summary>A truth value (<see cref="bool"/>).</summary>
    Boolean,

    /// <summary>A point in time (<see cref="System.DateTimeOffset"/>).</summary>
    OffsetDateTime,

    /// <summary>Date and time without a zone (<see cref="System.DateTime"/>).</summary>
    LocalDateTime,

    /// <summary>A date (<see cref="DateOnly"/>).</summary>
    LocalDate,

    /// <summary>A time of day (<see cref="TimeOnly"/>).</summary>
    LocalTime,

    /// <summary>An array of values.</summary>
    Array,

    /// <summary>A table.</summary>
    Table,
}
