/*
 * A stand-in for the miniaudio library, written for this project.
 *
 * Ollama's C++ code includes "miniaudio/miniaudio.h" to decode sound files for models that listen. The Go
 * module's archive leaves that header out and Debian packages none. We only use text: here is exactly what
 * the caller refers to, and every decoding fails, which Ollama reports as an unreadable sound file.
 */
#pragma once

#include <stddef.h>

typedef int ma_result;
typedef unsigned long long ma_uint64;

typedef struct {
    int unused;
} ma_decoder;

typedef struct {
    int unused;
} ma_decoder_config;

enum { ma_format_f32 = 5 };

#define MA_SUCCESS 0
#define MA_NOT_IMPLEMENTED (-29)

static inline ma_decoder_config ma_decoder_config_init(int format, unsigned channels, unsigned rate) {
    ma_decoder_config config = {0};
    (void)format;
    (void)channels;
    (void)rate;
    return config;
}

static inline ma_result ma_decoder_init_memory(const void *data, size_t size, const ma_decoder_config *config,
                                               ma_decoder *decoder) {
    (void)data;
    (void)size;
    (void)config;
    (void)decoder;
    return MA_NOT_IMPLEMENTED;
}

static inline ma_result ma_decoder_get_length_in_pcm_frames(ma_decoder *decoder, ma_uint64 *length) {
    (void)decoder;
    *length = 0;
    return MA_NOT_IMPLEMENTED;
}

static inline ma_result ma_decoder_read_pcm_frames(ma_decoder *decoder, void *frames, ma_uint64 count,
                                                   ma_uint64 *read) {
    (void)decoder;
    (void)frames;
    (void)count;
    if (read) {
        *read = 0;
    }
    return MA_NOT_IMPLEMENTED;
}

static inline ma_result ma_decoder_uninit(ma_decoder *decoder) {
    (void)decoder;
    return MA_SUCCESS;
}
