#include "textflag.h"

// func subWord(w uint32) uint32
// With the word in all four columns AES's shifting of rows changes nothing, so that of a last round without a key the
// substitution is left: in constant time, and without a table.
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVL w+0(FP), AX
	MOVD AX, X0
	PSHUFD $0, X0, X0
	PXOR X1, X1
	AESENCLAST X1, X0
	MOVD X0, AX
	MOVL AX, ret+8(FP)
	RET

#define ROUND(op) \
	op X8, X0; op X8, X1; op X8, X2; op X8, X3; \
	op X8, X4; op X8, X5; op X8, X6; op X8, X7

#define ENC(offset) \
	MOVOU offset(AX), X8; \
	ROUND(AESENC)

// func encryptEights(keys *schedule, blocks *byte, eights int)
// Eight blocks go through each round side by side: one block alone would wait for the result of every round.
TEXT ·encryptEights(SB), NOSPLIT, $0-24
	MOVQ keys+0(FP), AX
	MOVQ blocks+8(FP), BX
	MOVQ eights+16(FP), CX
	TESTQ CX, CX
	JLE  done

loop:
	MOVOU 0(BX), X0
	MOVOU 16(BX), X1
	MOVOU 32(BX), X2
	MOVOU 48(BX), X3
	MOVOU 64(BX), X4
	MOVOU 80(BX), X5
	MOVOU 96(BX), X6
	MOVOU 112(BX), X7
	MOVOU 0(AX), X8
	ROUND(PXOR)
	ENC(16)
	ENC(32)
	ENC(48)
	ENC(64)
	ENC(80)
	ENC(96)
	ENC(112)
	ENC(128)
	ENC(144)
	ENC(160)
	ENC(176)
	ENC(192)
	ENC(208)
	MOVOU 224(AX), X8
	ROUND(AESENCLAST)
	MOVOU X0, 0(BX)
	MOVOU X1, 16(BX)
	MOVOU X2, 32(BX)
	MOVOU X3, 48(BX)
	MOVOU X4, 64(BX)
	MOVOU X5, 80(BX)
	MOVOU X6, 96(BX)
	MOVOU X7, 112(BX)
	ADDQ $128, BX
	DECQ CX
	JNZ  loop

done:
	RET
