#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh NAME TEXT...: writes C that holds the texts as pyd_NAME_texts and
# their number as pyd_nNAME_texts (src/layout/tables.h).
set -eu

name=$1
shift
echo '/* Made by tools/offsets/embed.sh. */'
echo '#include "layout/tables.h"'
n=0
for text; do
	printf 'static const char text%d[] =\n' "$n"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/	"&\\n"/' "$text"
	echo '	"";'
	n=$((n + 1))
done
echo "const struct pyd_table_text pyd_${name}_texts[] = {"
n=0
for text; do
	printf '\t{ "%s", text%d, sizeof(text%d) - 1 },\n' \
		"${text##*/}" "$n" "$n"
	n=$((n + 1))
done
[ "$n" -gt 0 ] || echo '	{ 0 },'
echo '};'
printf 'const size_t pyd_n%s_texts = %d;\n' "$name" "$n"
