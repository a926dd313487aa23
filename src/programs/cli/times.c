// SPDX-License-Identifier: MIT
#include "programs/cli/times.h"

#include <stdio.h>
#include <time.h>

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

void time_format(char text_out[TIME_BYTES], uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / SECOND_MS);
    struct tm parts;
    char day[24];
    if (wall_ms == 0 || gmtime_r(&seconds, &parts) == NULL || parts.tm_year > 8099 ||
        strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        snprintf(text_out, TIME_BYTES, "-");
        return;
    }
    snprintf(text_out, TIME_BYTES, "%s.%03uZ", day, (unsigned)(wall_ms % SECOND_MS));
}

/// Exactly `digits` digits at *at, which moves past them.
static bool take(unsigned *number_out, const char **at, int digits)
{
    *number_out = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        *number_out = *number_out * 10 + (unsigned)(**at - '0');
    }
    return true;
}

static bool take_char(const char **at, char c)
{
    bool there = **at == c;
    *at += there;
    return there;
}

/// Days since 1970 of a date that is one (Howard Hinnant's days_from_civil).
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = y / 400;
    unsigned of_era = (unsigned)(y - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool take_date(int64_t *ms_out, const char **at)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year;
    unsigned month;
    unsigned day;
    if (!take(&year, at, 4) || !take_char(at, '-') || !take(&month, at, 2) || !take_char(at, '-') ||
        !take(&day, at, 2))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && leap))
        return false;
    *ms_out = days_of(year, month, day) * DAY_MS;
    return true;
}

/// A time of day. @param length_out How long what is meant lasts.
static bool take_clock(int64_t *ms_out, int64_t *length_out, const char **at)
{
    unsigned hour;
    unsigned minute;
    unsigned second = 0;
    unsigned fraction = 0;
    if (!take(&hour, at, 2) || !take_char(at, ':') || !take(&minute, at, 2) || hour > 23 ||
        minute > 59)
        return false;
    *length_out = MINUTE_MS;
    if (take_char(at, ':')) {
        if (!take(&second, at, 2) || second > 59)
            return false;
        *length_out = SECOND_MS;
    }
    if (*length_out == SECOND_MS && take_char(at, '.')) {
        unsigned scale = 100;
        if (**at < '0' || **at > '9')
            return false;
        for (; **at >= '0' && **at <= '9'; ++*at, scale /= 10)
            fraction += (unsigned)(**at - '0') * scale;
        *length_out = 1;
    }
    *ms_out = (int64_t)hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction;
    return true;
}

static bool take_zone(int64_t *ms_out, const char **at)
{
    unsigned hours;
    unsigned minutes;
    *ms_out = 0;
    if (**at == '\0' || take_char(at, 'Z'))
        return true;
    bool west = **at == '-';
    if ((!take_char(at, '+') && !take_char(at, '-')) || !take(&hours, at, 2) ||
        !take_char(at, ':') || !take(&minutes, at, 2) || hours > 23 || minutes > 59)
        return false;
    *ms_out = ((int64_t)hours * HOUR_MS + minutes * MINUTE_MS) * (west ? -1 : 1);
    return true;
}

bool time_parse(uint64_t *ms_out, const char *text)
{
    int64_t day;
    int64_t clock = 0;
    int64_t zone = 0;
    int64_t length = DAY_MS;
    const char *at = text;
    if (!take_date(&day, &at))
        return false;
    if ((take_char(&at, 'T') || take_char(&at, ' ')) && !take_clock(&clock, &length, &at))
        return false;
    if (!take_zone(&zone, &at) || *at != '\0' || day + clock + length <= zone)
        return false;
    *ms_out = (uint64_t)(day + clock + length - 1 - zone);
    return true;
}
