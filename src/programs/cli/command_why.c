// SPDX-License-Identifier: MIT
// weft why: why a character stands where it does, or does not stand there any more, in sentences.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/cli/ids.h"
#include "programs/cli/people.h"
#include "programs/cli/place.h"
#include "programs/cli/runs.h"
#include "programs/cli/times.h"
#include "programs/cli/why.h"

struct asked {
    const struct arguments *arguments;
    const char *name;
    struct weft_doc *doc;
    struct history history;
    struct people people;
    struct times times;
    enum weft_unit unit;
};

// --------------------------------------------------------------------------------- what is asked

static int read_unit(struct asked *asked)
{
    static const char *const names[] = {"characters", "utf16", "bytes"};
    const char *unit = arguments_value(asked->arguments, "unit");
    for (int i = 0; i < 3; i++) {
        if (unit == NULL || strcmp(unit, names[i]) == 0) {
            asked->unit = (enum weft_unit)i;
            return EXIT_FINE;
        }
    }
    return complain(EXIT_USAGE, "--unit is one of characters, utf16, bytes, not \"%.40s\"", unit);
}

static int find_position(struct weft_id *id_out, const struct asked *asked, const char *word)
{
    errno = 0;
    uint64_t index = strtoull(word, NULL, 10);
    uint64_t length = weft_doc_length(asked->doc, asked->unit);
    if (errno != 0 || index >= length)
        return complain(EXIT_REFUSED,
                        "the text of \"%s\" has %" PRIu64 " of that unit, counted from 0",
                        asked->name, length);
    if (weft_doc_id_at(id_out, asked->doc, asked->unit, index) != WEFT_OK)
        return complain(EXIT_REFUSED, "position %s is inside of a character", word);
    return EXIT_FINE;
}

static int find_text(struct weft_id *id_out, const struct asked *asked, const char *word)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    int code = EXIT_FINE;
    if (weft_doc_text(&text, asked->doc) != WEFT_OK)
        code = complain(EXIT_REFUSED, "out of memory");
    size_t size = strlen(word);
    const uint8_t *first =
        text.size > 0 && size > 0 ? memmem(text.data, text.size, word, size) : NULL;
    if (code == EXIT_FINE && first == NULL)
        code =
            complain(EXIT_DIFFERENT, "\"%s\" does not hold the text \"%.80s\"", asked->name, word);
    if (code == EXIT_FINE &&
        weft_doc_id_at(id_out, asked->doc, WEFT_UTF8, (uint64_t)(first - text.data)) != WEFT_OK)
        code = complain(EXIT_USAGE, "\"%.80s\" is no whole characters", word);
    if (code == EXIT_FINE) {
        size_t rest = text.size - (size_t)(first - text.data) - 1;
        if (memmem(first + 1, rest, word, size) != NULL)
            remark("\"%.80s\" stands there more than once; this is the first", word);
    }
    weft_buffer_finish(&text);
    return code;
}

/// The element that a word means: a position, an id, or else a text that stands there.
static int find_asked(struct weft_id *id_out, const struct asked *asked, const char *word)
{
    bool digits = *word != '\0' && strspn(word, "0123456789") == strlen(word);
    if (arguments_has(asked->arguments, "text"))
        return find_text(id_out, asked, word);
    if (digits)
        return find_position(id_out, asked, word);
    if (id_parse(id_out, word))
        return EXIT_FINE;
    return find_text(id_out, asked, word);
}

// ------------------------------------------------------------------------------------- sentences

static void say_name(const struct asked *asked, uint64_t agent)
{
    const char *name = people_name(&asked->people, agent);
    if (name != NULL)
        print_tame(name);
    else
        printf("agent %016" PRIx64, agent);
}

/// When an operation arrived, as far as that is known.
static const char *time_of(char text_out[TIME_BYTES], const struct asked *asked, struct weft_id id)
{
    time_format(text_out, 1000 * times_of(&asked->times, id.agent, id.seq));
    return text_out;
}

static void say_time(const struct asked *asked, struct weft_id id)
{
    char text[TIME_BYTES];
    if (times_of(&asked->times, id.agent, id.seq) > 0)
        printf(" at %s", time_of(text, asked, id));
}

static void say_id(struct weft_id id)
{
    char text[ID_BYTES];
    id_format(text, id);
    fputs(text, stdout);
}

static void say_character(const struct why_element *element)
{
    if (element->text.size > 0)
        print_excerpt(element->text.data, element->text.size, 1);
    else
        fputs("a character whose text was collected", stdout);
    fputs(" (", stdout);
    say_id(element->id);
    putchar(')');
}

static void say_what(const struct asked *asked, const struct why *why)
{
    const struct why_element *element = &why->element;
    say_character(element);
    if (why->visible)
        printf(" is character %" PRIu64 " of \"", why->index);
    else
        printf(" is deleted; it stood before character %" PRIu64 " of \"", why->index);
    print_tame(asked->name);
    printf("\".\n\n");
}

static void say_insert(const struct asked *asked, const struct why *why)
{
    const struct why_element *element = &why->element;
    const struct history_run *run = element->run;
    printf("Inserted by ");
    say_name(asked, run->agent);
    say_time(asked, element->id);
    printf(" with Lamport time %" PRIu64, element->lamport);
    if (run->length > 1) {
        printf(", as number %" PRIu64 " of %" PRIu64 " characters of one insert, ",
               element->offset + 1, run->length);
        print_excerpt(why->history->text.data + run->text_offset, run->text_size, 40);
    }
    printf(".\n");
    if (!why->has_parent) {
        printf("It was put at the start of the document, when nothing stood before it.\n");
        return;
    }
    printf("It was put %s ", why->left ? "before (to the left of)" : "after (to the right of)");
    say_character(&why->parent);
    printf(", by ");
    say_name(asked, why->parent.id.agent);
    printf("%s.\n", element->offset > 0 ? ", the character typed just before it" : "");
}

static void say_key(const struct why_element *element)
{
    printf("(%" PRIu64 ", %016" PRIx64 ")", element->lamport, element->id.agent);
}

static void say_siblings(const struct asked *asked, const struct why *why)
{
    const struct why_element *siblings = (const void *)why->siblings.data;
    size_t count = why->siblings.size / sizeof(*siblings);
    if (count == 0) {
        printf("Nothing else was put at that place.\n");
        return;
    }
    printf("At that place also stands what was put there without knowing of it. Of characters %s "
           "one\nparent the one with the %s (Lamport time, agent) stands first; its own is ",
           why->left ? "left of" : "right of", why->left ? "smaller" : "greater");
    say_key(&why->element);
    printf(":\n");
    for (size_t i = 0; i < count; i++) {
        bool greater = why_greater(&siblings[i], &why->element);
        printf("  ");
        say_character(&siblings[i]);
        printf(" by ");
        say_name(asked, siblings[i].id.agent);
        printf(" stands %s it: ", greater == why->left ? "behind" : "before");
        say_key(&siblings[i]);
        printf(" is %s.\n", greater ? "greater" : "smaller");
    }
}

static void say_deletes(const struct asked *asked, const struct why *why)
{
    const struct why_atom *deletes = (const void *)why->deletes.data;
    const struct why_atom *undeletes = (const void *)why->undeletes.data;
    size_t count = why->deletes.size / sizeof(*deletes);
    size_t cancels = why->undeletes.size / sizeof(*undeletes);
    if (count == 0)
        printf("Nobody deleted it.\n");
    for (size_t i = 0; i < count; i++) {
        printf("Deleted by ");
        say_name(asked, deletes[i].id.agent);
        say_time(asked, deletes[i].id);
        printf(" (");
        say_id(deletes[i].id);
        printf(", Lamport time %" PRIu64 ")", deletes[i].lamport);
        for (size_t j = 0; j < cancels; j++) {
            if (undeletes[j].target.agent != deletes[i].id.agent ||
                undeletes[j].target.seq != deletes[i].id.seq)
                continue;
            printf("; cancelled by ");
            say_name(asked, undeletes[j].id.agent);
            say_time(asked, undeletes[j].id);
            printf(" (");
            say_id(undeletes[j].id);
            putchar(')');
        }
        printf(".\n");
    }
    if (count > 0)
        printf("%s\n", why->visible ? "All of that is cancelled, so it is there."
                                    : "A delete that nobody cancelled is enough: it is not there.");
}

static void say_beside(const char *where, bool there, const struct why_element *beside)
{
    printf("%s it stands ", where);
    if (there)
        say_character(beside);
    else
        fputs("nothing", stdout);
}

static void say(const struct asked *asked, const struct why *why)
{
    say_what(asked, why);
    say_insert(asked, why);
    say_siblings(asked, why);
    say_deletes(asked, why);
    say_beside("\nBefore", why->has_before, &why->before);
    say_beside("; behind", why->has_after, &why->after);
    printf(" (deleted characters count here).\n");
}

// ------------------------------------------------------------------------------------------- JSON

static json_t *atom_object(const struct asked *asked, struct weft_id id, uint64_t lamport)
{
    char text[ID_BYTES];
    char time[TIME_BYTES];
    id_format(text, id);
    return json_pack("{s:s, s:s, s:s?, s:I}", "id", text, "time", time_of(time, asked, id),
                     "author", people_name(&asked->people, id.agent), "lamport",
                     (json_int_t)lamport);
}

static json_t *element_object(const struct asked *asked, const struct why_element *element)
{
    json_t *object = atom_object(asked, element->id, element->lamport);
    json_object_set_new(object, "text",
                        element->text.size > 0 ? output_text(element->text) : json_null());
    return object;
}

static json_t *siblings_array(const struct asked *asked, const struct why *why)
{
    const struct why_element *siblings = (const void *)why->siblings.data;
    json_t *array = json_array();
    for (size_t i = 0; i < why->siblings.size / sizeof(*siblings); i++) {
        json_t *object = element_object(asked, &siblings[i]);
        bool behind = why_greater(&siblings[i], &why->element) == why->left;
        json_object_set_new(object, "stands", json_string(behind ? "behind" : "before"));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *deletes_array(const struct asked *asked, const struct why *why)
{
    const struct why_atom *deletes = (const void *)why->deletes.data;
    const struct why_atom *undeletes = (const void *)why->undeletes.data;
    json_t *array = json_array();
    for (size_t i = 0; i < why->deletes.size / sizeof(*deletes); i++) {
        json_t *object = atom_object(asked, deletes[i].id, deletes[i].lamport);
        json_t *cancelled = json_array();
        for (size_t j = 0; j < why->undeletes.size / sizeof(*undeletes); j++) {
            if (undeletes[j].target.agent == deletes[i].id.agent &&
                undeletes[j].target.seq == deletes[i].id.seq)
                json_array_append_new(cancelled,
                                      atom_object(asked, undeletes[j].id, undeletes[j].lamport));
        }
        json_object_set_new(object, "cancelled_by", cancelled);
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *why_object(const struct asked *asked, const struct why *why)
{
    const struct why_element *element = &why->element;
    json_t *object = element_object(asked, element);
    json_object_set_new(object, "document", json_string(asked->name));
    json_object_set_new(object, "index", json_integer((json_int_t)why->index));
    json_object_set_new(object, "visible", json_boolean(why->visible));
    json_object_set_new(object, "run", run_json(why->history, element->run));
    json_object_set_new(object, "parent",
                        why->has_parent ? element_object(asked, &why->parent) : json_null());
    json_object_set_new(object, "side", json_string(why->left ? "left" : "right"));
    json_object_set_new(object, "siblings", siblings_array(asked, why));
    json_object_set_new(object, "deletes", deletes_array(asked, why));
    json_object_set_new(object, "before",
                        why->has_before ? element_object(asked, &why->before) : json_null());
    json_object_set_new(object, "after",
                        why->has_after ? element_object(asked, &why->after) : json_null());
    return object;
}

// ----------------------------------------------------------------------------------------- running

/// From an operation that is no insert to the element that it is about, and says so.
static int follow_to_element(struct weft_id *id, const struct asked *asked)
{
    for (;;) {
        const struct history_run *run = why_run(&asked->history, *id);
        char text[ID_BYTES];
        char target[ID_BYTES] = "";
        id_format(text, *id);
        if (run == NULL)
            return complain(EXIT_DIFFERENT, "\"%s\" has no operation %s", asked->name, text);
        if (run->kind == WEFT_RUN_INSERT)
            return EXIT_FINE;
        if (run->kind != WEFT_RUN_DELETE && run->kind != WEFT_RUN_UNDELETE)
            return complain(EXIT_REFUSED, "%s is no character: it is an operation of kind %s", text,
                            history_kind(run->kind));
        *id = why_target(run, *id);
        id_format(target, *id);
        remark("%s is the %s of %s", text, history_kind(run->kind), target);
    }
}

static int explain(const struct asked *asked, const char *word)
{
    struct weft_id id;
    struct why why;
    int code = find_asked(&id, asked, word);
    if (code == EXIT_FINE)
        code = follow_to_element(&id, asked);
    if (code != EXIT_FINE)
        return code;
    enum weft_status status = why_init(&why, &asked->history, asked->doc, id);
    if (status != WEFT_OK)
        code = complain(EXIT_REFUSED, "%s", weft_status_text(status));
    else if (asked->arguments->format == FORMAT_TABLE)
        say(asked, &why);
    else
        code = output_object(asked->arguments, why_object(asked, &why));
    why_finish(&why);
    return code;
}

static int run_why(const struct arguments *arguments)
{
    struct asked asked = {.arguments = arguments, .name = arguments_word(arguments, 1)};
    times_init(&asked.times, NULL);
    int code = read_unit(&asked);
    if (code == EXIT_FINE)
        code = place_fetch_times(&asked.doc, &asked.times, arguments);
    if (code != EXIT_FINE) {
        times_finish(&asked.times);
        return code;
    }
    enum weft_status status = people_init(&asked.people, asked.doc);
    if (history_init(&asked.history, asked.doc) != WEFT_OK || status != WEFT_OK)
        code = complain(EXIT_REFUSED, "out of memory");
    else
        code = explain(&asked, arguments_word(arguments, 2));
    history_finish(&asked.history);
    people_finish(&asked.people);
    times_finish(&asked.times);
    weft_doc_destroy(asked.doc);
    return code;
}

static const struct command_option why_options[] = {
    {"unit", 'u', "UNIT", "what a POSITION counts: characters (default), utf16 or bytes"},
    {"text", 't', NULL, "the last word is a text, though it reads as a position or an id"},
    {.name = NULL},
};

const struct command why_command = {
    .name = "why",
    .arguments = "URL|DIR DOC POSITION|AGENT:SEQ|TEXT",
    .summary = "Explains why a character stands where it does, or is gone.",
    .details =
        "Says who inserted it, beside what, what else was put there and which of them stands "
        "first, and who deleted it. POSITION counts from 0; AGENT:SEQ is an id as weft log and "
        "weft blame print it, of a deleted character too; a TEXT stands for its first character.",
    .options = why_options,
    .examples = {"weft why http://127.0.0.1:9338 notes 12", "weft why ./data notes 'brave new'"},
    .positional_min = 3,
    .positional_max = 3,
    .formatted = true,
    .run = run_why,
};
