# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Name' do
  it { is_expected.to allow_values('web', 'getty-5', 'a b', 'ü') }
  it { is_expected.not_to allow_values('', '.web', '-web', 'a/b', "a\nb", 'x' * 201) }
end
