/* Intrinsics of Arm, whose code is portable here. */
#include <arm_neon.h>
#include <stdio.h>

int main(void)
{
	int32_t sums[4];
	vst1q_s32(sums, vmlaq_n_s32(vdupq_n_s32(2), ((int32x4_t){1, 2, 3, 4}), 10));
	printf("%d %d %d %d\n", sums[0], sums[1], sums[2], sums[3]);
	uint8x16_t bytes = vqaddq_u8(vdupq_n_u8(250), vdupq_n_u8(10));
	printf("%d %d\n", vgetq_lane_u8(bytes, 3), vaddvq_u16(vpaddlq_u8(bytes)));
	if (sums[3] != 42 || vgetq_lane_u8(bytes, 3) != 255)
		return 1;
	printf("done\n");
	return 0;
}
