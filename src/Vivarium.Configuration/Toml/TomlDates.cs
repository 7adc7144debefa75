namespace Vivarium.Configuration.Toml;

/// <summary>The four kinds of dates and times of TOML, in the form of RFC 3339. Fractions beyond 100 ns are cut off.</summary>
internal static class TomlDates
{
    public static TomlNode? TryParse(string token, TomlPosition position)
    {
        var text = token.AsSpan();
        if (text.Length >= 5 && text[2] == ':' && char.IsAsciiDigit(text[0]))
        {
            return TakeTime(ref text) is { } time && text.IsEmpty
                ? new TomlScalar(TomlKind.LocalTime, time, position)
                : throw Invalid(token, position);
        }

        if (text.Length < 10 || text[4] != '-' || text[7] != '-' || !char.IsAsciiDigit(text[0]))
        {
            return null;
        }

        if (!Digits(text, 0, 4, out var year) || !Digits(text, 5, 2, out var month) || !Digits(text, 8, 2, out var day)
            || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month))
        {
            throw Invalid(token, position);
        }

        var date = new DateOnly(year, month, day);
        text = text[10..];
        if (text.IsEmpty)
        {
            return new TomlScalar(TomlKind.LocalDate, date, position);
        }

        if (text[0] is not ('T' or 't' or ' '))
        {
            throw Invalid(token, position);
        }

        text = text[1..];
        var clock = TakeTime(ref text) ?? throw Invalid(token, position);
        var local = date.ToDateTime(clock);
        if (text.IsEmpty)
        {
            return new TomlScalar(TomlKind.LocalDateTime, local, position);
        }

        var offset = Offset(text) ?? throw Invalid(token, position);
        if (local.Ticks - offset.Ticks < DateTime.MinValue.Ticks || local.Ticks - offset.Ticks > DateTime.MaxValue.Ticks)
        {
            throw Invalid(token, position);
        }

        return new TomlScalar(TomlKind.OffsetDateTime, new DateTimeOffset(local, offset), position);
    }

    private static TimeOnly? TakeTime(ref ReadOnlySpan<char> text)
    {
        if (text.Length < 8 || text[2] != ':' || text[5] != ':' || !Digits(text, 0, 2, out var hour) || !Digits(text, 3, 2, out var minute)
            || !Digits(text, 6, 2, out var second) || hour > 23 || minute > 59 || second > 59)
        {
            return null;
        }

        text = text[8..];
        var ticks = 0L;
        if (!text.IsEmpty && text[0] == '.')
        {
            var unit = TimeSpan.TicksPerSecond;
            var i = 1;
            for (; i < text.Length && char.IsAsciiDigit(text[i]); i++)
            {
                unit /= 10;
                ticks += (text[i] - '0') * unit;
            }

            if (i == 1)
            {
                return null;
            }

            text = text[i..];
        }

        return new TimeOnly(new TimeSpan(hour, minute, second).Ticks + ticks);
    }

    private static TimeSpan? Offset(ReadOnlySpan<char> text)
    {
        if (text is "Z" or "z")
        {
            return TimeSpan.Zero;
        }

        if (text.Length != 6 || text[0] is not ('+' or '-') || text[3] != ':' || !Digits(text, 1, 2, out var hours) || !Digits(text, 4, 2, out var minutes)
            || hours > 14 || minutes > 59 || (hours == 14 && minutes > 0))
        {
            return null;
        }

        var offset = new TimeSpan(hours, minutes, 0);
        return text[0] == '-' ? -offset : offset;
    }

    private static bool Digits(ReadOnlySpan<char> text, int start, int count, out int value)
    {
        value = 0;
        foreach (var c in text.Slice(start, count))
        {
            if (!char.IsAsciiDigit(c))
            {
                return false;
            }

            value = (value * 10) + (c - '0');
        }

        return true;
    }

    private static TomlSyntaxException Invalid(string token, TomlPosition position) => new(position, $"'{token}' is not a valid date or time");
}
