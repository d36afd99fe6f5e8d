package roll

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// The invented words. None is a real name on purpose; where syllables happen to form one, it belongs to
// nobody here.
var (
	familyHeads = [...]string{"Bram", "Vosk", "Quill", "Tarn", "Ombe", "Zel", "Grith", "Farl", "Wend", "Isk", "Plov", "Drae",
		"Hask", "Njor", "Crel", "Umb", "Yarr", "Thessi", "Morv", "Lund", "Kesh", "Abbe", "Pryth", "Sorr", "Fenn", "Jask", "Vélo", "Orb", "Trul", "Essa", "Gwim", "Brûl"}
	familyTails = [...]string{"ovane", "wickle", "datter", "imsky", "elworth", "ombray", "antine", "ishaw", "ostrop", "upwell", "indel", "arrow",
		"efeather", "oquist", "ymarsh", "ulgate", "ésan", "etwick", "oriel", "andish", "ivère", "ockley", "ersten", "unmere", "ablan", "espin", "oxley", "urrin", "ethane", "illo", "aspey", "orley"}
	givenHeads = [...]string{"Mi", "Ta", "Zo", "Kel", "Ori", "Fay", "Lu", "Bex", "Nim", "Sy", "Dar", "Ela", "Wyn", "Qua", "Je", "Pim",
		"Ru", "Ha", "Ily", "Cos", "Ven", "Ama", "Til", "Gre", "Xan", "Yo", "Ebo", "Sol", "Ny", "Arl", "Éo", "Mar"}
	givenTails = [...]string{"rello", "vienne", "dric", "mala", "sette", "bo", "quin", "lind", "zara", "tho", "wick", "rune", "mere", "dell", "vane", "xis",
		"lotte", "ban", "phine", "sko", "rel", "nessa", "gard", "mion", "tabel", "ric", "leth", "dora", "fen", "lys", "mund", "ska"}
	streets = [...]string{"Marmalade", "Lantern", "Teacup", "Thimble", "Puddle", "Acorn", "Kettle", "Buttonhole", "Paper Boat", "Snowdrift", "Gooseberry", "Inkwell",
		"Whistle", "Pinwheel", "Clothespin", "Moonbeam", "Biscuit", "Hammock", "Wheelbarrow", "Mitten", "Periwinkle", "Sundial", "Toboggan", "Cobweb",
		"Weathervane", "Dandelion", "Driftwood", "Skipping Stone", "Parsnip", "Windfall", "Candlewick", "Rubber Duck"}
	streetKinds = [...]string{"St", "Ave", "Rd", "Lane", "Cres", "Way", "Blvd", "Court"}
	townHeads   = [...]string{"Sample", "Mock", "Feign", "Placeholder ", "Fable", "Example", "Pretend", "Model", "Notional ", "Imagin", "Storybook ", "Specimen "}
	townTails   = [...]string{"ville", "ton", "ford", "harbour", "falls", "stead", "mouth", "wick", "creek", "bury"}
)

// words are the tables that a record is put together from, joined beforehand: a record is then a few
// copies.
type words struct {
	families [1024]string // "Bramovane,"
	givens   [1024]string // "Mirello,"
	streets  [256]string  // " Marmalade St,"
	quoted   [256]string  // ` Marmalade St",`
}

func newWords() *words {
	w := &words{}
	for i := range 1024 {
		w.families[i] = familyHeads[i>>5] + familyTails[i&31] + ","
		w.givens[i] = givenHeads[i>>5] + givenTails[i&31] + ","
	}
	for i := range 256 {
		street := " " + streets[i>>3] + " " + streetKinds[i&7]
		w.streets[i], w.quoted[i] = street+",", street+`",`
	}
	return w
}

// towns are the ends of the records of a district, from municipality to postal code's first half: eight
// invented places, the same in every roll.
func (d District) towns() [8]string {
	var towns [8]string
	h := fnv.New64a()
	for i := range towns {
		fmt.Fprint(h, d.Number, i)
		n := mix(h.Sum64())
		head, tail := townHeads[n%12], townTails[n>>8%10]
		if strings.HasSuffix(head, " ") {
			tail = strings.ToUpper(tail[:1]) + tail[1:]
		}
		town := head + tail
		// No Canadian postal code begins with Z.
		towns[i] = fmt.Sprintf("%s,%s,Z%d%c ", town, d.Province, n>>16%10, 'A'+rune(n>>24%26))
	}
	return towns
}
