// The text tokens of o200k as tools/vocabulary/make_o200k_ranks.py packs them (the file is found through -I).
    .section .rodata
    .global gossamer_o200k_ranks_begin
    .global gossamer_o200k_ranks_end
    .balign 16
gossamer_o200k_ranks_begin:
    .incbin "o200k_ranks.zst"
gossamer_o200k_ranks_end:
    .section .note.GNU-stack,"",@progbits
