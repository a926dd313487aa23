// SPDX-License-Identifier: MIT
// A document: keeping it.
#include "codec/snapshot_gone.h"
#include "doc/doc_impl.h"

enum weft_status weft_doc_snapshot(struct weft_buffer *structure_out, struct weft_buffer *text_out,
                                   struct weft_buffer *tombs_out, const struct weft_doc *doc)
{
    size_t size = tombs_out->size;
    enum weft_status status = snapshot_put_gone(tombs_out, doc_rga(doc));
    if (status == WEFT_OK)
        status = snapshot_encode(structure_out, text_out, tombs_out, doc_rga(doc));
    if (status != WEFT_OK)
        tombs_out->size = size;
    return status;
}

static enum weft_status decode(struct rga *rga, const struct weft_snapshot *snapshot)
{
    struct snapshot_gone gone;
    enum weft_status status = snapshot_gone_open(&gone, snapshot, rga);
    if (status != WEFT_OK)
        return status;
    status = snapshot_decode(rga, &gone.snapshot);
    if (status == WEFT_OK)
        status = snapshot_gone_drop(&gone, rga);
    snapshot_gone_finish(&gone, rga);
    return status;
}

enum weft_status weft_doc_load(struct weft_doc **doc_out, const struct weft_snapshot *snapshot,
                               const struct weft_doc_options *options)
{
    struct weft_doc_options with_epoch = {0};
    struct weft_doc *doc;
    if (options != NULL)
        with_epoch = *options;
    enum weft_status status = snapshot_epoch(&with_epoch.epoch, snapshot);
    if (status == WEFT_OK)
        status = weft_doc_create(&doc, &with_epoch);
    if (status != WEFT_OK)
        return status;
    status = decode(doc_rga(doc), snapshot);
    if (status != WEFT_OK) {
        weft_doc_destroy(doc);
        return status;
    }
    *doc_out = doc;
    return WEFT_OK;
}
